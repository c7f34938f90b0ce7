// What the API server sends on a watch: cut into the same lines however the bytes come, and each
// line an event, an error or refused.
//
// Input: a byte with the size of the pieces, and the bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "kube/resource.h"
#include "kube/watch_decoder.h"

namespace {

using escagent::Secret;
using escagent::kube::WatchDecoder;

constexpr std::size_t kMaxEvent = 4096;

// False when a line is too long.
bool Cut(std::string_view bytes, std::size_t piece, std::vector<Secret>& lines) {
  WatchDecoder decoder(kMaxEvent);
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    if (!decoder.Feed(part, lines)) return false;
    bytes.remove_prefix(part.size());
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::vector<Secret> whole;
  std::vector<Secret> pieces;
  const bool fits = Cut(bytes, bytes.size() + 1, whole);
  if (Cut(bytes, data[0] + std::size_t{1}, pieces) != fits) std::abort();
  if (fits && !std::equal(whole.begin(), whole.end(), pieces.begin(), pieces.end(),
                          [](const Secret& a, const Secret& b) { return a.Equals(b); })) {
    std::abort();
  }
  const escagent::kube::Resource secrets = escagent::kube::Secrets();
  for (const Secret& line : whole) {
    const auto event = escagent::kube::ParseWatchEvent(line, "watch secrets", secrets);
    if (!event && event.error().message.empty()) std::abort();
    if (event) event->EndsInitialEvents();
  }
  return 0;
}
