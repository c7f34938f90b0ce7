#include "agent/identity/service_account_subject.h"

#include <algorithm>
#include <string_view>

#include "base/file.h"
#include "kube/token_request.h"

namespace escagent::identity {
namespace {

constexpr std::chrono::seconds kRequestTimeout{5};
// The API server's least (TokenRequestSpec.expirationSeconds).
constexpr std::chrono::seconds kShortest{600};
constexpr std::size_t kMaxToken = std::size_t{64} << 10;

}  // namespace

ServiceAccountSubject::ServiceAccountSubject(kube::Api& api, kube::ObjectKey service_account,
                                             std::vector<std::string> audiences,
                                             std::chrono::seconds lifetime)
    : api_(api),
      service_account_(std::move(service_account)),
      audiences_(std::move(audiences)),
      lifetime_(std::max(lifetime, kShortest)) {}

Result<Secret> ServiceAccountSubject::Get(const std::stop_token& stop) {
  Result<Secret> token = kube::RequestToken(
      api_, service_account_, audiences_, lifetime_,
      {.priority = kube::Priority::kInteractive, .timeout = kRequestTimeout, .stop = stop});
  if (token) return token;
  Error error = std::move(token).error();
  switch (error.code) {
    case Code::kPermissionDenied:
    case Code::kUnauthenticated:
      // Not ESC's verdict on the identity.
      error.code = Code::kFailedPrecondition;
      error.message +=
          "; allow the agent to create serviceaccounts/token of it (chart: "
          "rbac.extraRules)";
      break;
    case Code::kNotFound:
    case Code::kInvalidArgument:
      error.code = Code::kFailedPrecondition;
      break;
    case Code::kCancelled:
      break;
    default:
      error.code = Code::kUnavailable;
  }
  return std::unexpected(std::move(error));
}

Result<Secret> FileSubject::Get(const std::stop_token& /*stop*/) {
  Result<Secret> text = ReadFile(path_, kMaxToken);
  if (!text) return FailedPrecondition(text.error().message);
  std::string_view token = text->Reveal();
  while (token.ends_with('\n') || token.ends_with('\r')) token.remove_suffix(1);
  if (token.empty()) return FailedPrecondition("read the token in " + path_ + ": it is empty");
  return Secret(token);
}

}  // namespace escagent::identity
