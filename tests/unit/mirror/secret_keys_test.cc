#include "agent/mirror/secret_keys.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

TEST(ConvertKey, ReplacesWhatIsNoLetterOrNumber) {
  struct Case {
    const char* key;
    const char* by_default;
    const char* unicode;
  };
  constexpr Case kCases[] = {
      {"plain-key_1.txt", "plain-key_1.txt", "plain-key_1.txt"},
      {"a/b c", "a_b_c", "a_U002f_b_U0020_c"},
      {"tls&key", "tls_key", "tls_U0026_key"},
      {"😀", "_", "_U1f600_"},
      {"naïve", "naïve", "naïve"},
      {"a\nb", "a_b", "a_U000a_b"},
      {"", "", ""},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(ConvertKey(ConversionStrategy::kDefault, c.key), c.by_default);
    EXPECT_EQ(ConvertKey(ConversionStrategy::kUnicode, c.key), c.unicode);
  }
}

TEST(ConvertKeys, RefusesCollisions) {
  const auto converted =
      ConvertKeys(ConversionStrategy::kDefault, Data({{"a/b", "1"}, {"a b", "2"}}));
  ASSERT_FALSE(converted);
  EXPECT_EQ(converted.error().message,
            "error applying conversion strategy Default to keys: secret name collision during "
            "conversion: a_b");
  EXPECT_TRUE(ConvertKeys(ConversionStrategy::kUnicode, Data({{"a/b", "1"}, {"a b", "2"}})));
}

TEST(ValidateKey, TakesWhatKubernetesTakes) {
  for (const std::string& key :
       {std::string("a"), std::string(".dockerconfigjson"), std::string(253, 'x'),
        std::string("A-b_c.d"), std::string("a..b"), std::string(".a")}) {
    EXPECT_TRUE(ValidateKey(key)) << key;
  }
  for (const std::string& key :
       {std::string(), std::string("a b"), std::string("a/b"), std::string(254, 'x'),
        std::string("naïve"), std::string("."), std::string(".."), std::string("..data")}) {
    EXPECT_FALSE(ValidateKey(key)) << key;
  }
}

TEST(ValidateKeys, DropsTheEmptyKeyAndNamesTheBadOne) {
  SecretData data = Data({{"", "x"}, {"a", "1"}});
  EXPECT_TRUE(ValidateKeys(data));
  EXPECT_EQ(Plain(data), (PlainData{{"a", "1"}}));
  SecretData bad = Data({{"a b", "the value"}});
  const Status status = ValidateKeys(bad);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): key "
            "\"a b\" has characters that Kubernetes does not allow: only letters and digits of "
            "ASCII, '-', '_' and '.'");
}

}  // namespace
}  // namespace escagent::mirror
