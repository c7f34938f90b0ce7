#include "agent/mirror/go_float.h"

#include <gtest/gtest.h>

namespace escagent::mirror {
namespace {

// Expectations are the output of Go 1.26 for strconv.FormatFloat(f, 'f', -1, 64) and json.Marshal.
TEST(GoFloat, PrintsAsGoDoes) {
  struct Case {
    const char* number;
    const char* plain;
    const char* json;
  };
  constexpr Case kCases[] = {
      {"42", "42", "42"},
      {"1.0", "1", "1"},
      {"1e3", "1000", "1000"},
      {"12345678901234567890", "12345678901234567000", "12345678901234567000"},
      {"0", "0", "0"},
      {"-0", "-0", "-0"},
      {"0.1", "0.1", "0.1"},
      {"1e-7", "0.0000001", "1e-7"},
      {"1.5e-9", "0.0000000015", "1.5e-9"},
      {"1e21", "1000000000000000000000", "1e+21"},
      {"1.23e22", "12300000000000000000000", "1.23e+22"},
      {"100000000000000000000", "100000000000000000000", "100000000000000000000"},
      {"-2.50", "-2.5", "-2.5"},
      {"9007199254740993", "9007199254740992", "9007199254740992"},
      {"0.000001234", "0.000001234", "0.000001234"},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(GoFloatText(c.number), c.plain) << c.number;
    EXPECT_EQ(GoJsonFloatText(c.number), c.json) << c.number;
  }
  EXPECT_EQ(GoFloatText("1e300"), "1" + std::string(300, '0'));
  EXPECT_EQ(GoJsonFloatText("1e300"), "1e+300");
}

}  // namespace
}  // namespace escagent::mirror
