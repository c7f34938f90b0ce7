// Any body, of any kind, sent by somebody who can sign: refused, or the environment that it names
// can be looked for; and whatever is not signed is refused.
//
// Input: a line with the kind, one with the signature, and the body.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/freshness/webhook_receiver.h"
#include "base/secret.h"

namespace {

using escagent::Secret;
using escagent::freshness::WebhookReceiver;

constexpr std::string_view kSecret = "key";

std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

const std::string& SecretFile() {
  static const std::string path = [] {
    const int fd = memfd_create("secret", MFD_CLOEXEC);
    if (write(fd, kSecret.data(), kSecret.size()) != ssize_t{kSecret.size()}) std::abort();
    return "/proc/self/fd/" + std::to_string(fd);
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  const std::string kind(TakeLine(body));
  const std::string signature(TakeLine(body));
  WebhookReceiver receiver(
      SecretFile(), [](const escagent::esc::EnvironmentRef& ref, const std::string&) {
        if (ref.organization.empty() || ref.project.empty() || ref.environment.empty()) {
          std::abort();
        }
      });
  const std::string good = escagent::freshness::WebhookSignature(Secret(kSecret), body);
  const int forged = receiver.Receive(
      {.id = "1", .kind = kind, .signature = signature, .body = std::string(body)});
  if (forged == 200 && signature != good) std::abort();
  const int sent =
      receiver.Receive({.id = "2", .kind = kind, .signature = good, .body = std::string(body)});
  if (sent != 200 && sent != 400 && sent != 413) std::abort();
  return 0;
}
