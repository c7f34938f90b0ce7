#include "agent/mirror/decoding.h"

#include <gtest/gtest.h>

#include <string>

namespace escagent::mirror {
namespace {

std::string Decoded(DecodingStrategy strategy, std::string_view text) {
  const Result<Secret> value = Decode(strategy, Secret(text));
  return value ? std::string(value->Reveal()) : "error: " + value.error().message;
}

TEST(Decoding, EveryStrategy) {
  struct Case {
    DecodingStrategy strategy;
    const char* text;
    std::string_view decoded;
  };
  using enum DecodingStrategy;
  const std::string not_standard = "error: the value is not base64 (standard alphabet, padded)";
  const std::string not_url = "error: the value is not base64 (URL-safe alphabet, padded)";
  const Case cases[] = {
      {kNone, "aGVsbG8=", "aGVsbG8="},
      {kBase64, "aGVsbG8=", "hello"},
      {kBase64, "", ""},
      {kBase64, "+/+/", "\xfb\xff\xbf"},
      {kBase64, "-_-_", not_standard},
      {kBase64, "aGVsbG8", not_standard},
      {kBase64, "no base64!", not_standard},
      {kBase64Url, "-_-_", "\xfb\xff\xbf"},
      {kBase64Url, "aGVsbG8=", "hello"},
      {kBase64Url, "+/+/", not_url},
      {kAuto, "aGVsbG8=", "hello"},
      {kAuto, "-_-_", "\xfb\xff\xbf"},
      {kAuto, "no base64!", "no base64!"},
      // A word that happens to be base64 is mangled, as in ESO.
      {kAuto, "pass", "\xa5\xab\x2c"},
  };
  for (const Case& c : cases) EXPECT_EQ(Decoded(c.strategy, c.text), c.decoded) << c.text;
}

}  // namespace
}  // namespace escagent::mirror
