#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Go's numbers in texts (strconv).
namespace escagent::gotemplate {

// ParseInt. `base` 0: the text says it (0x, 0o, 0b, a leading 0), and _ may separate digits.
std::optional<std::int64_t> ParseInteger(std::string_view text, int base);

// ParseFloat; nothing also for what is too large.
std::optional<double> ParseFloat(std::string_view text);

// FormatFloat with the verbs e, E, f, g, G, x and X. `precision` -1: the fewest digits that read
// back as the same number.
std::string FormatFloat(double value, char verb, int precision);

// FormatUint in a base from 2 to 16.
std::string FormatUnsigned(std::uint64_t value, int base, bool upper);

}  // namespace escagent::gotemplate
