#include "agent/mirror/push_items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/mirror/push_objects.h"

namespace escagent::mirror {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// "path=value" of each item, or the error.
std::vector<std::string> Items(std::string_view fields, const SecretData& data,
                               const store::StoreId& store = kAppStore) {
  const PushSecret push = GoodPush(fields);
  const PushSource source{"source", &data};
  const auto items = PushItemsFor(push, store, {}, std::span(&source, 1));
  if (!items) return {"error: " + items.error().message};
  std::vector<std::string> texts;
  for (const PushItem& item : *items) {
    texts.push_back(item.target.path.ToString() + "=" + std::string(item.value.Reveal()));
  }
  return texts;
}

TEST(PushItemsTest, OneKey) {
  const SecretData data = Data({{"password", "p"}, {"user", "u"}});
  EXPECT_THAT(Items(R"({"data": [{"match": {"secretKey": "password",
                        "remoteRef": {"remoteKey": "app", "property": "db.pass"}}}]})",
                    data),
              ElementsAre("app.db.pass=p"));
}

TEST(PushItemsTest, WholeSecretIsAnObject) {
  const SecretData data = Data({{"tls.crt", "c"}, {"tls.key", "k"}, {"ca", "a"}});
  EXPECT_THAT(Items(R"({"data": [{"match": {"remoteRef": {"remoteKey": "app[\"x.y\"]"}}}]})", data),
              ElementsAre("app[\"x.y\"].ca=a", "app[\"x.y\"][\"tls.crt\"]=c",
                          "app[\"x.y\"][\"tls.key\"]=k"));
  EXPECT_THAT(Items(R"({"data": [{"match": {"remoteRef": {"remoteKey": "app"}}}]})", Data({})),
              ElementsAre());
}

TEST(PushItemsTest, WholeSecretTellsEachMember) {
  const SecretData data = Data({{"tls.crt", "c"}});
  const PushSecret push =
      GoodPush(R"({"data": [{"match": {"remoteRef": {"remoteKey": "app", "property": "tls"}}}]})");
  const PushSource source{"source", &data};
  const auto items = PushItemsFor(push, kAppStore, {}, std::span(&source, 1));
  ASSERT_TRUE(items);
  ASSERT_EQ(items->size(), 1u);
  EXPECT_EQ((*items)[0].target.remote_key, "app");
  EXPECT_EQ((*items)[0].target.property, "tls[\"tls.crt\"]");
  EXPECT_EQ((*items)[0].secret_key, "tls.crt");
}

TEST(PushItemsTest, MatchingKeysUnderOtherNames) {
  const SecretData data = Data({{"DB-HOST", "h"}, {"DB-USER", "u"}, {"other", "o"}});
  EXPECT_THAT(Items(R"({"dataTo": [{"storeRef": {"name": "app"}, "match": {"regexp": "^DB-"},
                        "rewrite": [{"regexp": {"source": "^DB-", "target": "db."}},
                                    {"transform": {"template": "{{ .value | lower }}"}}]}]})",
                    data),
              ElementsAre("db.host=h", "db.user=u"));
  EXPECT_THAT(Items(R"({"dataTo": [{"storeRef": {"name": "app"}, "remoteKey": "all"}]})", data),
              ElementsAre("all.DB-HOST=h", "all.DB-USER=u", "all.other=o"));
  EXPECT_THAT(Items(R"({"dataTo": [{"storeRef": {"name": "elsewhere"}}]})", data), ElementsAre());
}

TEST(PushItemsTest, OnlyForStoresThatAreMeant) {
  const char* fields =
      R"({"data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "a"}}}]})";
  const SecretData data = Data({{"k", "v"}});
  EXPECT_THAT(Items(fields, data), ElementsAre("a=v"));
  EXPECT_THAT(Items(fields, data, {store::StoreKind::kSecretStore, "podinfo", "b"}), ElementsAre());
}

TEST(PushItemsTest, ReversesUnicodeEscapes) {
  EXPECT_EQ(ReverseUnicode("a_U0041_b_U00e9_"), "aAbé");
  EXPECT_EQ(ReverseUnicode("_U2713__U1F511_"), "✓🔑");
  for (const char* other : {"", "plain", "_U41_", "_UD800_", "_U110000_", "_U0041", "U0041_"}) {
    EXPECT_EQ(ReverseUnicode(other), other);
  }
  EXPECT_THAT(Items(R"({"data": [{"match": {"secretKey": "a b", "remoteRef": {"remoteKey": "x"}},
                                  "conversionStrategy": "ReverseUnicode"}]})",
                    Data({{"a_U0020_b", "v"}})),
              ElementsAre("x=v"));
}

TEST(PushItemsTest, SaysWhatIsWrong) {
  const auto error = [](std::string_view fields, const SecretData& data) {
    return Items(fields, data).at(0);
  };
  EXPECT_EQ(error(R"({"data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "a"}}}]})",
                  Data({})),
            "error: secret key k does not exist in Secret source");
  EXPECT_THAT(error(R"({"data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "a"}}}]})",
                    Data({{"k", "\xff"}})),
              HasSubstr("key \"k\" of Secret source is not text"));
  EXPECT_THAT(error(R"({"data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "a"}}},
                                 {"match": {"secretKey": "l", "remoteRef": {"remoteKey": "[\"a\"]"}}}]})",
                    Data({{"k", "canary1"}, {"l", "canary2"}})),
              AllOf(HasSubstr("two entries push different values to a"), Not(HasSubstr("canary"))));
  EXPECT_THAT(error(R"({"dataTo": [{"storeRef": {"name": "app"}}]})", Data({{"a..b", "v"}})),
              HasSubstr("push key \"a..b\": read property path"));
}

TEST(PushItemsTest, EqualValuesOfSeveralSecretsAreFine) {
  const PushSecret push =
      GoodPush(R"({"data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "a"}}}]})");
  const SecretData one = Data({{"k", "v"}});
  const SecretData other = Data({{"k", "w"}});
  const std::vector<PushSource> equal = {{"one", &one}, {"two", &one}};
  EXPECT_EQ(PushItemsFor(push, kAppStore, {}, equal)->size(), 1u);
  const std::vector<PushSource> different = {{"one", &one}, {"two", &other}};
  EXPECT_FALSE(PushItemsFor(push, kAppStore, {}, different));
}

TEST(PushItemsTest, TemplateMakesTheData) {
  const SecretData data = Data({{"user", "u"}, {"pass", " p "}});
  PushSecret push =
      GoodPush(R"({"template": {"data": {"url": "x://{{ .user }}:{{ .pass | trim }}@h"}}})");
  EXPECT_EQ(Plain(*ApplyPushTemplate(*push.spec.secret_template, data, {})),
            (PlainData{{"url", "x://u:p@h"}}));
  push = GoodPush(R"({"template": {"mergePolicy": "Merge", "data": {"pass": "new"}}})");
  EXPECT_EQ(Plain(*ApplyPushTemplate(*push.spec.secret_template, data, {})),
            (PlainData{{"pass", "new"}, {"user", "u"}}));
  push = GoodPush(R"({"template": {"data": {"x": "{{ .missing }}"}}})");
  EXPECT_FALSE(ApplyPushTemplate(*push.spec.secret_template, data, {}));
}

}  // namespace
}  // namespace escagent::mirror
