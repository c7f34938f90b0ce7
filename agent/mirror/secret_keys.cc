#include "agent/mirror/secret_keys.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "esc/text_limit.h"

namespace escagent::mirror {
namespace {

constexpr std::size_t kMaxKeySize = 253;

bool IsKeyCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

char32_t CodePoint(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first;
  char32_t code_point = first & (0xffU >> (character.size() + 1));
  for (const char c : character.substr(1)) {
    code_point = (code_point << 6U) | (static_cast<unsigned char>(c) & 0x3fU);
  }
  return code_point;
}

std::string Replacement(ConversionStrategy strategy, std::string_view character) {
  if (strategy == ConversionStrategy::kDefault) return "_";
  std::array<char, 16> text;
  std::snprintf(text.data(), text.size(), "_U%04x_", static_cast<unsigned>(CodePoint(character)));
  return text.data();
}

}  // namespace

std::string_view StrategyName(ConversionStrategy strategy) {
  return strategy == ConversionStrategy::kUnicode ? "Unicode" : "Default";
}

std::string ConvertKey(ConversionStrategy strategy, std::string_view key) {
  static const re2::RE2 kept(R"([\p{L}\p{N}\-._]+)");
  static const re2::RE2 other(R"((?s)(.))");
  re2::StringPiece rest(key.data(), key.size());
  std::string converted;
  while (!rest.empty()) {
    const char* const begin = rest.data();
    if (re2::RE2::Consume(&rest, kept)) {
      converted.append(begin, rest.data());
    } else if (re2::RE2::Consume(&rest, other)) {
      converted += Replacement(
          strategy, std::string_view(begin, static_cast<std::size_t>(rest.data() - begin)));
    } else {
      // Not UTF-8, which no key of an environment is.
      converted += Replacement(strategy, "\xEF\xBF\xBD");
      rest.remove_prefix(1);
    }
  }
  return converted;
}

Result<SecretData> ConvertKeys(ConversionStrategy strategy, SecretData data) {
  SecretData converted;
  for (auto& [key, value] : data) {
    std::string name = ConvertKey(strategy, key);
    if (converted.contains(name)) {
      return InvalidArgument("error applying conversion strategy " +
                             std::string(StrategyName(strategy)) +
                             " to keys: secret name collision during conversion: " +
                             esc::LimitText(name, kMaxKeySize));
    }
    converted.emplace(std::move(name), std::move(value));
  }
  return converted;
}

Status ValidateKey(std::string_view key) {
  if (key.size() > kMaxKeySize) {
    return InvalidArgument("key " + QuoteKey(key) + " has " + std::to_string(key.size()) +
                           " bytes; Kubernetes allows " + std::to_string(kMaxKeySize));
  }
  if (key.empty()) return InvalidArgument("a key is empty");
  if (!std::ranges::all_of(key, IsKeyCharacter)) {
    return InvalidArgument("key " + QuoteKey(key) +
                           " has characters that Kubernetes does not allow: only letters and "
                           "digits of ASCII, '-', '_' and '.'");
  }
  if (key == "." || key.starts_with("..")) {
    return InvalidArgument("key " + QuoteKey(key) +
                           " must not be \".\" nor begin with \"..\" in Kubernetes");
  }
  return {};
}

Status ValidateKeys(SecretData& data) {
  data.erase("");
  for (const auto& entry : data) {
    if (Status valid = ValidateKey(entry.first); !valid) {
      return InvalidArgument(
          "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): " +
          valid.error().message);
    }
  }
  return {};
}

std::string QuoteKey(std::string_view key) {
  constexpr std::size_t kShown = 100;
  return "\"" + esc::LimitText(key, kShown) + "\"";
}

}  // namespace escagent::mirror
