#include "base/strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace escagent {
namespace {

using std::string_view_literals::operator""sv;
using testing::ElementsAre;

TEST(SplitTest, KeepsEmptyParts) {
  EXPECT_THAT(Split("a/b/c", '/'), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Split("", '/'), ElementsAre(""));
  EXPECT_THAT(Split("/a//", '/'), ElementsAre("", "a", "", ""));
}

TEST(JoinTest, IsTheInverseOfSplit) {
  EXPECT_EQ(Join({}, ", "), "");
  for (const std::string_view text : {"", "a", "a/b", "/a//"}) {
    EXPECT_EQ(Join(Split(text, '/'), "/"), text);
  }
}

TEST(EqualsIgnoreCaseTest, AsciiOnly) {
  EXPECT_TRUE(EqualsIgnoreCase("Retry-After", "retry-AFTER"));
  EXPECT_FALSE(EqualsIgnoreCase("a", "ab"));
  EXPECT_FALSE(EqualsIgnoreCase("@", "`")) << "differ in the case bit but are no letters";
  EXPECT_FALSE(EqualsIgnoreCase("[", "{"));
}

TEST(IsValidUtf8Test, Valid) {
  for (const std::string_view text :
       {""sv, "plain"sv, "a\0b"sv, "\x7F"sv, "\xC2\x80"sv, "\xDF\xBF"sv, "\xE0\xA0\x80"sv,
        "\xED\x9F\xBF"sv, "\xEE\x80\x80"sv, "\xEF\xBF\xBF"sv, "\xF0\x90\x80\x80"sv,
        "\xF4\x8F\xBF\xBF"sv, "\xEF\xBB\xBFtext"sv}) {
    EXPECT_TRUE(IsValidUtf8(text)) << testing::PrintToString(text);
  }
}

TEST(IsValidUtf8Test, Invalid) {
  for (const std::string_view text : {
           "\x80"sv,              // a continuation alone
           "\xC0\x80"sv,          // overlong NUL
           "\xC1\xBF"sv,          // overlong
           "\xE0\x9F\xBF"sv,      // overlong
           "\xF0\x8F\xBF\xBF"sv,  // overlong
           "\xED\xA0\x80"sv,      // surrogate
           "\xED\xBF\xBF"sv,      // surrogate
           "\xF4\x90\x80\x80"sv,  // beyond U+10FFFF
           "\xF5\x80\x80\x80"sv,
           "\xFF"sv,
           "\xFE"sv,
           "a\xC2"sv,          // cut off
           "a\xE2\x82"sv,      // cut off
           "a\xF0\x9F\x98"sv,  // cut off
           "\xC2 "sv,          // second byte is no continuation
           "\xE2\x82 "sv,
           "\xF0\x9F\x98 "sv,
       }) {
    EXPECT_FALSE(IsValidUtf8(text)) << testing::PrintToString(text);
  }
}

// Every code point, encoded by its definition, and every truncation of it.
TEST(IsValidUtf8Test, AllCodePoints) {
  const auto byte = [](unsigned value) { return static_cast<char>(value); };
  for (unsigned c = 0x80; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 37) {
    std::string text;
    if (c < 0x800) {
      text = {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
    } else if (c < 0x10000) {
      text = {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
    } else {
      text = {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)),
              byte(0x80 | (c & 0x3F))};
    }
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(IsValidUtf8(text), !surrogate) << c;
    text.pop_back();
    ASSERT_FALSE(IsValidUtf8(text)) << c;
  }
}

TEST(NearestTest, FindsSlips) {
  constexpr std::array<std::string_view, 5> kNames = {"secretStore", "clusterSecretStore", "path",
                                                      "mode", "uid"};
  EXPECT_EQ(Nearest("secretstore", kNames), "secretStore");
  EXPECT_EQ(Nearest("sceretStore", kNames), "secretStore");
  EXPECT_EQ(Nearest("paths", kNames), "path");
  EXPECT_EQ(Nearest("mdoe", kNames), "mode");
  EXPECT_EQ(Nearest("completelyDifferent", kNames), std::nullopt);
  EXPECT_EQ(Nearest("path", {}), std::nullopt);
  EXPECT_EQ(Nearest(std::string(100000, 'x'), kNames), std::nullopt);
}

TEST(NearestTest, PrefersTheNearer) {
  constexpr std::array<std::string_view, 3> kNames = {"hellos", "hello", "help"};
  EXPECT_EQ(Nearest("helo", kNames), "hello");
}

std::string Encode(std::string_view bytes) {
  SecretBuilder out;
  EncodeBase64(bytes, out);
  return std::string(out.Finish().Reveal());
}

// RFC 4648 section 10.
constexpr std::array<std::array<std::string_view, 2>, 7> kRfcVectors = {{
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
}};

TEST(Base64Test, RfcVectors) {
  for (const auto& [plain, encoded] : kRfcVectors) {
    EXPECT_EQ(Encode(plain), encoded);
    const std::optional<Secret> decoded = DecodeBase64(encoded);
    ASSERT_TRUE(decoded) << encoded;
    EXPECT_EQ(decoded->Reveal(), plain);
  }
}

TEST(Base64Test, RoundTripsOverManySizes) {
  std::string bytes;
  for (std::size_t size = 0; size < 7000; size += 1 + size / 50) {
    while (bytes.size() < size) bytes += static_cast<char>(bytes.size() * 131 % 256);
    const std::optional<Secret> decoded = DecodeBase64(Encode(bytes));
    ASSERT_TRUE(decoded) << size;
    ASSERT_EQ(decoded->Reveal(), bytes) << size;
  }
}

TEST(Base64Test, IgnoresLineBreaksAsGoDoes) {
  const std::optional<Secret> decoded = DecodeBase64("Zm9v\r\nYm\nFy\n");
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->Reveal(), "foobar");
}

TEST(Base64Test, RefusesTheRest) {
  for (const std::string_view text : {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Zm9v=", "Zg==Zg==",
                                      "Zg=a", "Zm9v Zm9v", "Zm-_", "Zm9v!", "Z\tg=="}) {
    EXPECT_FALSE(DecodeBase64(text)) << text;
  }
}

TEST(UrlEncodeTest, LeavesOnlyUnreserved) {
  EXPECT_EQ(UrlEncode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(UrlEncode("a b/c?d=e&f[\"g\"]%"), "a%20b%2Fc%3Fd%3De%26f%5B%22g%22%5D%25");
  EXPECT_EQ(UrlEncode("\xC3\xA9\0"sv), "%C3%A9%00");
}

TEST(Sha256HexTest, KnownDigests) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace escagent
