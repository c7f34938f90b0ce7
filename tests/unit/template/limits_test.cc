#include <gtest/gtest.h>

#include <string>

#include "tests/unit/template/template_fixture.h"

// A template is a tenant's input: whatever it says, it ends soon and takes little.
namespace escagent::gotemplate {
namespace {

std::string Repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

struct Endless {
  const char* text;
  const char* why;
};

TEST(TemplateLimits, EndlessWorkEndsWithItsCause) {
  const Endless cases[] = {
      {"{{ range 1000000000 }}{{ end }}", "steps"},
      {"{{ range until 1000000000 }}{{ end }}", "steps"},
      {R"({{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }})", "template depth"},
      {R"({{ repeat 1000000000 "xy" }})", "memory"},
      {R"({{ repeat 9223372036854775807 "xy" }})", "memory"},
      {R"({{ indent 1000000000 "x" }})", "memory"},
      {R"({{ printf "%1000000d" 1 | repeat 100 }})", "memory"},
      {R"({{ replace "" (repeat 1000000 "x") (repeat 1000000 "y") }})", "memory"},
      {R"({{ repeat 2000000 "x" }})", "the output has more than 1048576 bytes"},
      {R"({{ range 3000 }}{{ repeat 1000 "x" }}{{ end }})", "the output"},
      {R"({{ $x := "x" }}{{ range 64 }}{{ $x = print $x $x }}{{ end }})", "memory"},
      {R"({{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $d }})", "contains itself"},
      {R"({{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toJson $d }})", "contains itself"},
      {R"({{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toYaml $d }})", "contains itself"},
      {R"({{ $d := dict }}{{ $_ := set $d "d" $d }}{{ deepCopy $d }})", "contains itself"},
      {R"({{ $d := list 1 }}{{ range 64 }}{{ $d = list $d $d }}{{ end }}{{ toJson $d }})", "steps"},
      {R"({{ range 100000 }}{{ sha256sum (repeat 100000 "x") }}{{ end }})", "memory"},
      {R"({{ $x := repeat 1000000 "x" }}{{ range 100000 }}{{ $y := sha256sum $x }}{{ end }})",
       "steps"},
      {R"({{ regexReplaceAll "" (repeat 100000 "x") (repeat 100000 "y") }})", "steps"},
  };
  for (const Endless& c : cases) {
    const Result<Secret> result = Render("t", c.text, {});
    ASSERT_FALSE(result) << c.text;
    EXPECT_EQ(result.error().code, Code::kResourceExhausted) << c.text;
    EXPECT_NE(result.error().message.find(c.why), std::string::npos) << result.error().message;
  }
}

TEST(TemplateLimits, NestingOfTheSourceIsBounded) {
  const std::string parens = "{{ " + Repeated("(", 100) + "1" + Repeated(")", 100) + " }}";
  EXPECT_EQ(Outcome(parens), "1");
  const std::string deep = "{{ " + Repeated("(", 100000) + "1" + Repeated(")", 100000) + " }}";
  EXPECT_NE(Outcome(deep).find("nested more than 100 deep"), std::string::npos);
  const std::string blocks = Repeated("{{ if 1 }}", 99) + "x" + Repeated("{{ end }}", 99);
  EXPECT_EQ(Outcome(blocks), "x");
  EXPECT_NE(Outcome(Repeated("{{ if 1 }}", 100000)).find("nested more than"), std::string::npos);
  const std::string chain = "{{ if 0 }}" + Repeated("{{ else if 0 }}", 100000) + "{{ end }}";
  EXPECT_NE(Outcome(chain).find("nested more than"), std::string::npos);
}

TEST(TemplateLimits, ParsedDocumentsAreBounded) {
  const std::string json = Repeated("[", 100000) + Repeated("]", 100000);
  const Result<Secret> parsed = Render("t", "{{ fromJson .j | toJson }}", {{"j", json}});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->Reveal(), "null");
  std::string yaml = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    yaml += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before +
            "]\n";
  }
  // No YAML for Go either, which fromYaml tells under this key.
  const Result<Secret> bomb = Render("t", "{{ (fromYaml .y).Error }}", {{"y", yaml}});
  ASSERT_TRUE(bomb) << bomb.error().message;
  EXPECT_NE(bomb->Reveal().find("aliases make it too large"), std::string_view::npos);
}

TEST(TemplateLimits, AreThoseGiven) {
  EXPECT_EQ(Outcome("12345", {.max_output = 5}), "12345");
  EXPECT_NE(Outcome("123456", {.max_output = 5}).find("more than 5 bytes"), std::string::npos);
  EXPECT_NE(Outcome("{{ range 20 }}{{ end }}", {.max_steps = 20}).find("more than 20 steps"),
            std::string::npos);
  EXPECT_EQ(Outcome("{{ range 5 }}{{ end }}", {.max_steps = 20}), "");
}

}  // namespace
}  // namespace escagent::gotemplate
