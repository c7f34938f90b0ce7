#include "agent/mirror/decoding.h"

#include <optional>
#include <utility>

#include "base/strings.h"

namespace escagent::mirror {
namespace {

// RFC 4648 section 5.
std::optional<Secret> DecodeBase64Url(std::string_view text) {
  if (text.find_first_of("+/") != std::string_view::npos) return std::nullopt;
  SecretBuilder standard;
  for (const char c : text) standard.Append(c == '-' ? '+' : c == '_' ? '/' : c);
  return DecodeBase64(standard.Reveal());
}

Result<Secret> OrError(std::optional<Secret> decoded, std::string_view what) {
  if (decoded) return *std::move(decoded);
  return InvalidArgument("the value is not " + std::string(what));
}

}  // namespace

std::string_view StrategyName(DecodingStrategy strategy) {
  switch (strategy) {
    case DecodingStrategy::kNone:
      break;
    case DecodingStrategy::kBase64:
      return "Base64";
    case DecodingStrategy::kBase64Url:
      return "Base64URL";
    case DecodingStrategy::kAuto:
      return "Auto";
  }
  return "None";
}

Result<Secret> Decode(DecodingStrategy strategy, Secret value) {
  switch (strategy) {
    case DecodingStrategy::kNone:
      return value;
    case DecodingStrategy::kBase64:
      return OrError(DecodeBase64(value.Reveal()), "base64 (standard alphabet, padded)");
    case DecodingStrategy::kBase64Url:
      return OrError(DecodeBase64Url(value.Reveal()), "base64 (URL-safe alphabet, padded)");
    case DecodingStrategy::kAuto:
      if (auto decoded = DecodeBase64(value.Reveal())) return *std::move(decoded);
      if (auto decoded = DecodeBase64Url(value.Reveal())) return *std::move(decoded);
      return value;
  }
  return value;
}

}  // namespace escagent::mirror
