#include "esc/devserver/secret_codec.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "base/strings.h"
#include "esc/devserver/secret_rewriter.h"
#include "esc/eval/evaluator.h"
#include "esc/property_path.h"

namespace escagent::devserver {
namespace {

const SecretCodec& Codec() {
  static const SecretCodec kCodec(Secret(std::string_view("a key for these tests")));
  return kCodec;
}

std::string Rewritten(std::string_view text, SecretForm form) {
  return std::string(RewriteSecrets(Codec(), text, form).Reveal());
}

TEST(SecretCodecTest, RoundTrip) {
  const SecretCodec& codec = Codec();
  for (const std::string plaintext : {"", "x", "hunter2", "größe ✓\n", "\xff"}) {
    const Result<Secret> ciphertext = codec.Encrypt(plaintext);
    ASSERT_TRUE(ciphertext);
    EXPECT_TRUE(codec.Encrypt(plaintext)->Equals(*ciphertext));
    const std::optional<Secret> envelope = DecodeBase64(ciphertext->Reveal());
    ASSERT_TRUE(envelope);
    EXPECT_EQ(envelope->Reveal().substr(0, 8), std::string_view("escx\0\0\0\1", 8));
    const Result<Secret> again = codec.DecryptEnvelope(ciphertext->Reveal());
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->Reveal(), plaintext);
  }
}

TEST(SecretCodecTest, RefusesWhatItDidNotMake) {
  const SecretCodec& codec = Codec();
  EXPECT_FALSE(codec.DecryptEnvelope(""));
  EXPECT_FALSE(codec.DecryptEnvelope("no base64"));
  EXPECT_FALSE(
      codec.DecryptEnvelope("ZXNjeAAAAAFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="));
  const Result<Secret> ciphertext = codec.Encrypt("hunter2");
  const std::optional<Secret> envelope = DecodeBase64(ciphertext->Reveal());
  for (std::size_t i = 0; i < envelope->Size(); ++i) {
    std::string changed(envelope->Reveal());
    changed[i] = static_cast<char>(changed[i] ^ 1);
    SecretBuilder text;
    EncodeBase64(changed, text);
    EXPECT_FALSE(codec.DecryptEnvelope(text.Reveal())) << i;
  }
}

TEST(SecretCodecTest, EachKeyHasItsOwnCiphertext) {
  const SecretCodec other(Secret(std::string_view("another key")));
  const Result<Secret> ciphertext = Codec().Encrypt("hunter2");
  ASSERT_TRUE(ciphertext);
  EXPECT_FALSE(other.Encrypt("hunter2")->Equals(*ciphertext));
  const Result<Secret> opened = other.DecryptEnvelope(ciphertext->Reveal());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kInvalidArgument);
}

TEST(SecretRewriterTest, ChangesOnlySecrets) {
  const std::string plain =
      "# top\nvalues:\n  a:\n    fn::secret: 'it''s' # a\n  b: [{fn::secret: x}, y]\n"
      "  c: {fn::secret: 5}\n  d:\n    fn::fromJSON:\n      fn::secret: |\n        {}\n  e: 1\n"
      "notValues:\n  fn::secret: z\n";
  const std::string sealed = Rewritten(plain, SecretForm::kEncrypted);
  EXPECT_FALSE(sealed.contains("it''s"));
  EXPECT_TRUE(sealed.contains("  a:\n    fn::secret:\n      ciphertext: ZXNje")) << sealed;
  EXPECT_TRUE(sealed.contains(" # a\n  b: [{fn::secret: {ciphertext: ZXNje")) << sealed;
  // A number is no secret, and the evaluator says so.
  EXPECT_TRUE(sealed.contains("  c: {fn::secret: 5}\n  d:\n")) << sealed;
  EXPECT_TRUE(sealed.contains("      fn::secret:\n        ciphertext: ZXNje")) << sealed;
  EXPECT_TRUE(sealed.ends_with("\n  e: 1\nnotValues:\n  fn::secret: z\n")) << sealed;
  EXPECT_EQ(Rewritten(sealed, SecretForm::kEncrypted), sealed);
  EXPECT_EQ(Rewritten(sealed, SecretForm::kPlain),
            "# top\nvalues:\n  a:\n    fn::secret: \"it's\" # a\n  b: [{fn::secret: x}, y]\n"
            "  c: {fn::secret: 5}\n  d:\n    fn::fromJSON:\n      fn::secret: \"{}\\n\"\n  e: 1\n"
            "notValues:\n  fn::secret: z\n");
}

TEST(SecretRewriterTest, KeepsLiteralDollarsEncryptedOnDisk) {
  const std::string text = "values:\n  a: {fn::secret: a$b}\n  b: {fn::secret: plain}\n";
  const std::string stored = Rewritten(text, SecretForm::kStored);
  EXPECT_TRUE(stored.contains("a: {fn::secret: {ciphertext: ")) << stored;
  EXPECT_TRUE(stored.contains("b: {fn::secret: plain}")) << stored;
  EXPECT_EQ(Rewritten(Rewritten(text, SecretForm::kEncrypted), SecretForm::kStored), stored);
}

// Whatever the evaluator would take for a secret.
TEST(SecretRewriterTest, ReadsAsTheEvaluatorDoes) {
  for (const char* text :
       {"values:\n  a: &x\n    fn::secret: &y hunter2\n", "values: {a: &x {fn::secret: hunter2}}",
        "values: # \xE2\x80\xA8  a: {fn::secret: hunter2}\n",
        "values:\r  a:\r    fn::secret: hunter2",
        "# x\n\xEF\xBB\xBFvalues:\n  a:\n    fn::secret: !!str hunter2\n",
        "values:\n  a:\n    fn::secret: \"hunter2\"# why\n",
        "values:\n  a:\n    fn::secret: hunter2\n      \t\n  b: 1\n",
        "values:\n  a:\n    fn::secret: hunter2\n      \t# why\n",
        "values:\n  a:\n    fn::secret: hunter2\n      \t",
        "values: {a: {fn::secret: hunter2}}\n---\nvalues: [\n"}) {
    const std::string sealed = Rewritten(text, SecretForm::kEncrypted);
    EXPECT_FALSE(sealed.contains("hunter2")) << sealed;
    const auto result = eval::Evaluate(Rewritten(sealed, SecretForm::kPlain), {});
    EXPECT_TRUE(result.ok()) << sealed;
    const auto found = esc::PropertyPath::Parse("a")->Lookup(result.properties);
    ASSERT_TRUE(found) << sealed;
    EXPECT_EQ((*found)->ScalarText(), "hunter2") << sealed;
    EXPECT_TRUE((*found)->secret()) << sealed;
  }
}

TEST(SecretRewriterTest, LeavesOtherTextsAlone) {
  for (const char* text : {"", "values: [", "a: &x {fn::secret: y}", "- fn::secret: x",
                           "values: {a: {fn::secret: {ciphertext: eA==}}}"}) {
    EXPECT_EQ(Rewritten(text, SecretForm::kPlain), text);
    EXPECT_EQ(Rewritten(text, SecretForm::kEncrypted), text);
  }
}

}  // namespace
}  // namespace escagent::devserver
