#include "agent/store/token_secret.h"

#include <optional>
#include <string>
#include <utility>

#include "base/json_fields.h"
#include "base/strings.h"

namespace escagent::store {
namespace {

kube::ObjectKey KeyOf(const SecretKeyRef& ref) { return {ref.namespace_name, ref.name}; }

std::unexpected<Error> Fault(const SecretKeyRef& ref, Code code, const std::string& why) {
  return MakeError(code, "read the access token from Secret " + KeyOf(ref).ToString() + ", key " +
                             ref.key + ": " + why);
}

}  // namespace

std::unexpected<Error> NoTokenSecret(const SecretKeyRef& ref) {
  return Fault(ref, Code::kUnauthenticated, "there is no such Secret; create it");
}

Result<AccessToken> TokenOfSecret(const SecretKeyRef& ref, const kube::Object& secret) {
  const nlohmann::json& data = Member(Member(secret.json(), "data"), ref.key);
  const auto* text = data.get_ptr<const std::string*>();
  if (text == nullptr) return Fault(ref, Code::kUnauthenticated, "the Secret has no such key");
  const std::optional<Secret> bytes = DecodeBase64(*text);
  if (!bytes) return Fault(ref, Code::kUnauthenticated, "it is not base64");
  Result<AccessToken> token = MakeAccessToken(bytes->Reveal());
  if (!token) return Fault(ref, Code::kUnauthenticated, token.error().message);
  return token;
}

Result<AccessToken> ReadTokenSecret(kube::Api& api, const SecretKeyRef& ref,
                                    const kube::CallOptions& options) {
  const Result<kube::Object> secret = api.Get(kube::Secrets(), KeyOf(ref), options);
  if (secret) return TokenOfSecret(ref, *secret);
  const Error& error = secret.error();
  switch (error.code) {
    case Code::kNotFound:
      return NoTokenSecret(ref);
    case Code::kPermissionDenied:
      return Fault(ref, Code::kUnauthenticated,
                   "the agent needs the rights get and watch: " + error.message);
    case Code::kInvalidArgument:
      return Fault(ref, Code::kUnauthenticated, error.message);
    default:
      return Fault(ref, Code::kUnavailable, error.message);
  }
}

}  // namespace escagent::store
