#include "tests/system/canary.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "base/secret.h"
#include "base/strings.h"

namespace escagent::testing {
namespace {

// What base64 makes of `mark` when `offset` unknown bytes come before it (and others after it):
// the characters that depend on nothing but the mark.
std::string Base64Form(std::string_view mark, std::size_t offset) {
  SecretBuilder encoded;
  EncodeBase64(std::string(offset, 'x') + std::string(mark), encoded);
  const std::size_t begin = (offset * 8 + 5) / 6;
  const std::size_t end = (offset + mark.size()) * 8 / 6;
  return std::string(encoded.Reveal().substr(begin, end - begin));
}

std::string HexForm(std::string_view mark) {
  std::string hex;
  for (const char c : mark) {
    std::array<char, 3> digits;
    std::snprintf(digits.data(), digits.size(), "%02x", static_cast<std::uint8_t>(c));
    hex += digits.data();
  }
  return hex;
}

}  // namespace

Canary::Canary(std::string_view mark)
    : forms_{std::string(mark), Base64Form(mark, 0), Base64Form(mark, 1), Base64Form(mark, 2),
             HexForm(mark)} {}

std::string Canary::FindIn(std::string_view text) const {
  constexpr std::size_t kAround = 200;
  for (const std::string& form : forms_) {
    const std::size_t at = text.find(form);
    if (at == std::string_view::npos) continue;
    const std::size_t begin = at - std::min(at, kAround);
    return std::string(text.substr(begin, at - begin + form.size() + kAround));
  }
  return "";
}

}  // namespace escagent::testing
