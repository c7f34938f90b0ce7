#pragma once

#include <optional>
#include <string>
#include <string_view>

// Go's quoted literals (strconv.Quote and strconv.Unquote).
namespace escagent::gotemplate {

// In double quotes; what does not print is escaped. `ascii`: so is all beyond ASCII (%+q).
std::string GoQuote(std::string_view text, bool ascii = false);

// A character in single quotes, as %q prints a number.
std::string GoQuoteRune(char32_t rune, bool ascii = false);

// What a literal with its quotes ("...", `...` or '.') stands for; nothing when it is malformed.
std::optional<std::string> GoUnquote(std::string_view literal);

// Whether the text can stand between back quotes as it is.
bool CanBackquote(std::string_view text);

}  // namespace escagent::gotemplate
