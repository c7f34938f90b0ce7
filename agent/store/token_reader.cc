#include "agent/store/token_reader.h"

#include <sys/stat.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/file.h"

namespace escagent::store {
namespace {

constexpr std::string_view kFilePrefix = "file:";
constexpr std::string_view kEnvPrefix = "env:";
constexpr std::size_t kMaxToken = std::size_t{64} << 10;

}  // namespace

TokenReader::TokenReader(std::string directory) : directory_(std::move(directory)) {}

Status TokenReader::Check(const SecretKeyRef& ref) {
  const bool file = ref.name.starts_with(kFilePrefix) && ref.name.size() > kFilePrefix.size();
  const bool env = ref.name.starts_with(kEnvPrefix) && ref.name.size() > kEnvPrefix.size();
  if (!file && !env) {
    // A token that was written there by mistake is not repeated.
    const bool may_be_token = ref.name.size() > 40 || ref.name.starts_with("pul-");
    return InvalidArgument("secretRef.name" +
                           (may_be_token ? std::string() : " \"" + ref.name + "\"") +
                           ": a store in a file must refer to its token with file:PATH or "
                           "env:NAME; Kubernetes Secrets cannot be read from here");
  }
  if (file && (ref.key.find('/') != std::string::npos || ref.key == "." || ref.key == "..")) {
    return InvalidArgument("secretRef.key \"" + ref.key + "\": must be the name of a file in " +
                           ref.name.substr(kFilePrefix.size()));
  }
  return {};
}

Result<Secret> TokenReader::ReadText(const SecretKeyRef& ref) const {
  if (ref.name.starts_with(kEnvPrefix)) {
    const char* value = std::getenv(ref.name.substr(kEnvPrefix.size()).c_str());
    if (value == nullptr) return NotFound("the agent's environment has no such variable");
    return Secret(std::string_view(value));
  }
  std::string path = ref.name.substr(kFilePrefix.size());
  if (!path.starts_with('/')) path = directory_ + "/" + path;
  struct stat st = {};
  if (!ref.key.empty() && stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) {
    path += "/" + ref.key;
  }
  return ReadFile(path, kMaxToken);
}

Result<AccessToken> TokenReader::Read(const SecretKeyRef& ref) const {
  const auto fault = [&ref](std::string_view why) {
    return MakeError(Code::kUnauthenticated,
                     "read the access token from " + ref.name + ": " + std::string(why));
  };
  ESC_RETURN_IF_ERROR(Check(ref));
  const Result<Secret> text = ReadText(ref);
  if (!text) return fault(text.error().message);
  Result<AccessToken> token = MakeAccessToken(text->Reveal());
  if (!token) return fault(token.error().message);
  return token;
}

}  // namespace escagent::store
