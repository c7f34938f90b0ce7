#include "esc/eval/envelope.h"

#include <gtest/gtest.h>

#include <string>

#include "base/strings.h"
#include "tests/unit/eval/evaluate_in_test.h"
#include "tests/unit/eval/test_providers.h"

namespace escagent::eval {
namespace {

std::string Base64(std::string_view bytes) {
  SecretBuilder text;
  EncodeBase64(bytes, text);
  return std::string(text.Reveal());
}

std::string FaultOf(std::string_view text) {
  const auto ciphertext = DecodeEnvelope(text);
  return ciphertext ? "" : ciphertext.error().message;
}

TEST(EnvelopeTest, RoundTrip) {
  // The checksum is one that Python's zlib.crc32 gives.
  EXPECT_EQ(EncodeEnvelope("abcd").Reveal(),
            Base64(std::string_view("escx\0\0\0\1abcd\x2c\xe9\x0c\x86", 16)));
  for (const std::string ciphertext : {"abcd", "\xff\xfe 12345"}) {
    const auto again = DecodeEnvelope(EncodeEnvelope(ciphertext).Reveal());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->Reveal(), ciphertext);
  }
}

TEST(EnvelopeTest, RefusesWhatIsNone) {
  EXPECT_EQ(FaultOf("!"), "illegal base64 data at input byte 0");
  EXPECT_EQ(FaultOf(Base64("escx")), "EOF");
  EXPECT_EQ(FaultOf(Base64("0123456789abcdef")), "invalid header");
  EXPECT_EQ(FaultOf(Base64("escx456789abcdef")), "invalid checksum");
}

TEST(EnvelopeTest, CheckingDecryptsOnlyWhenSecretsAreShown) {
  std::string ciphertext = "hunter2";
  for (char& c : ciphertext) c = static_cast<char>(static_cast<unsigned char>(c) + 128U);
  const std::string definition = "values:\n  v: {fn::secret: {ciphertext: " +
                                 std::string(EncodeEnvelope(ciphertext).Reveal()) + "}}\n";
  Rot128 decrypter;
  EvalOptions options;
  options.decrypter = &decrypter;
  EXPECT_EQ(Revealed(Evaluate(definition, options)), R"({"v":"hunter2"})");
  options.mode = EvalMode::kCheck;
  EXPECT_EQ(Revealed(Evaluate(definition, options)), R"({"v":"[unknown]"})");
  EXPECT_EQ(Redacted(Evaluate(definition, options)), R"({"v":"[secret]"})");
  options.show_secrets = true;
  EXPECT_EQ(Revealed(Evaluate(definition, options)), R"({"v":"hunter2"})");
}

}  // namespace
}  // namespace escagent::eval
