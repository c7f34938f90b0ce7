#include "agent/mirror/object_names.h"

#include <re2/re2.h>

#include <string>

#include "agent/mirror/secret_keys.h"
#include "base/strings.h"

namespace escagent::mirror {
namespace {

bool IsName(std::string_view text) {
  static const re2::RE2 pattern("[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?");
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

bool IsDnsPrefix(std::string_view text) {
  constexpr std::size_t kLongest = 253;
  static const re2::RE2 pattern("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
  return text.size() <= kLongest &&
         re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

}  // namespace

Status ValidateMetadataKey(std::string_view key) {
  const std::size_t slash = key.find('/');
  const bool has_prefix = slash != std::string_view::npos;
  if ((has_prefix && !IsDnsPrefix(key.substr(0, slash))) ||
      !IsName(has_prefix ? key.substr(slash + 1) : key)) {
    return InvalidArgument(QuoteKey(key) +
                           " is no valid key of a label or annotation in Kubernetes");
  }
  return {};
}

Status ValidateLabelValue(std::string_view key, std::string_view value) {
  if (value.empty() || IsName(value)) return {};
  return InvalidArgument("the value for label " + QuoteKey(key) +
                         " is not allowed in Kubernetes: at most 63 letters, digits, '-', '_' and "
                         "'.', beginning and ending with a letter or digit");
}

}  // namespace escagent::mirror
