#include "tests/system/storm_value.h"

#include <charconv>

namespace escagent::testing {

std::string StormValue(std::string_view file, int count) {
  const std::string piece = std::string(file) + ":" + std::to_string(count) + ";";
  // Up to three pages, and never as long as the ones before.
  const int repeats = 1 + count * 37 % 701;
  std::string value;
  value.reserve(piece.size() * static_cast<std::size_t>(repeats));
  for (int i = 0; i < repeats; ++i) value += piece;
  return value;
}

std::optional<int> StormCount(std::string_view file, std::string_view bytes) {
  if (!bytes.starts_with(file) || bytes.size() <= file.size()) return std::nullopt;
  int count = 0;
  const char* const begin = bytes.data() + file.size() + 1;
  if (std::from_chars(begin, bytes.data() + bytes.size(), count).ec != std::errc()) {
    return std::nullopt;
  }
  if (count < 0 || bytes != StormValue(file, count)) return std::nullopt;
  return count;
}

std::string StormDefinition(int count) {
  std::string definition = "values:\n  storm:\n";
  for (const char* file : {"alpha", "beta"}) {
    definition += std::string("    ") + file + ": \"" + StormValue(file, count) + "\"\n";
  }
  definition += "    nested: {deep: \"" + StormValue("nested/deep", count) + "\"}\n";
  if (count % 2 == 0) definition += "    even: \"" + StormValue("even", count) + "\"\n";
  return definition;
}

}  // namespace escagent::testing
