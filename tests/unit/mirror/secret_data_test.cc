#include "agent/mirror/secret_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kEnvironment[] = R"({
    "app": {"hello": "world", "hello-secret": "secret world", "n": 12345678901234567890,
            "none": null, "list": [1, {"b": true}], "odd/key": "x"},
    "encoded": {"a": "aGVsbG8=", "b": "d29ybGQ="},
    "users": [{"name": "ann"}, {"name": "bob"}],
    "binary": {"nul": "a\u0000b"},
    "single": "value", "empty": {}})";

class CollectDataTest : public ::testing::Test {
 protected:
  Result<SecretData> Collect(std::string_view entries, const Compat& compat = {}) {
    nlohmann::json object = ObjectJson(R"({"secretStoreRef": {"name": "store"}})");
    object["spec"].merge_patch(Json(entries));
    object_ = Parse(object);
    missing_.clear();
    return CollectData(
        object_.spec,
        [this](const store::StoreId& id) -> Result<const esc::Value*> {
          asked_.push_back(id.ToString());
          if (source_error_) return std::unexpected(*source_error_);
          return &root_;
        },
        compat, &missing_);
  }

  PlainData Good(std::string_view entries, const Compat& compat = {}) {
    const Result<SecretData> data = Collect(entries, compat);
    EXPECT_TRUE(data) << entries << ": " << (data ? "" : data.error().message);
    return data ? Plain(*data) : PlainData();
  }

  std::string Bad(std::string_view entries, const Compat& compat = {}) {
    const Result<SecretData> data = Collect(entries, compat);
    EXPECT_FALSE(data) << entries;
    return data ? "" : data.error().message;
  }

  esc::Value root_ = ValueOf(kEnvironment);
  ExternalSecret object_;
  std::optional<Error> source_error_;
  std::vector<std::string> missing_;
  std::vector<std::string> asked_;
};

TEST_F(CollectDataTest, DataEntriesAreSingleValues) {
  EXPECT_EQ(Good(R"({"data": [
                {"secretKey": "greeting", "remoteRef": {"key": "app.hello"}},
                {"secretKey": "number", "remoteRef": {"key": "app.n"}},
                {"secretKey": "nothing", "remoteRef": {"key": "app[\"none\"]"}},
                {"secretKey": "names", "remoteRef": {"key": "users[*].name"}},
                {"secretKey": "object", "remoteRef": {"key": "app.list[1]"}},
                {"secretKey": "plain", "remoteRef": {"key": "encoded.a", "property": "ignored",
                                                     "version": "9", "decodingStrategy": "Base64"}}]})"),
            (PlainData{{"greeting", "world"},
                       {"number", "12345678901234567890"},
                       {"nothing", ""},
                       {"names", R"(["ann","bob"])"},
                       {"object", R"({"b":true})"},
                       {"plain", "hello"}}));
}

TEST_F(CollectDataTest, ExtractMakesMembersKeys) {
  EXPECT_EQ(Good(R"({"dataFrom": [{"extract": {"key": "app"}}]})"),
            (PlainData{{"hello", "world"},
                       {"hello-secret", "secret world"},
                       {"n", "12345678901234567890"},
                       {"none", ""},
                       {"list", R"([1,{"b":true}])"},
                       {"odd_key", "x"}}));
  EXPECT_EQ(Good(R"({"dataFrom": [{"extract": {"key": "app", "conversionStrategy": "Unicode"}}]})")
                .count("odd_U002f_key"),
            1U);
  EXPECT_EQ(Good(R"({"dataFrom": [{"extract": {"key": "empty"}}]})"), PlainData());
}

TEST_F(CollectDataTest, ExtractOfWhatIsNoObjectIsAnError) {
  EXPECT_EQ(Bad(R"({"dataFrom": [{"extract": {"key": "single"}}]})"),
            "error processing spec.dataFrom[0].extract (key: single), err: the property single is "
            "a string; extract needs an object, whose members become the keys (use data for a "
            "single value)");
  EXPECT_THAT(Bad(R"({"dataFrom": [{"extract": {"key": "users[*].name"}}]})"),
              HasSubstr("is an array"));
  EXPECT_EQ(
      Good(R"({"dataFrom": [{"extract": {"key": "single"}}]})", {.silent_empty_extract = true}),
      PlainData());
}

TEST_F(CollectDataTest, FindLooksThroughTheKeysOfAnObject) {
  EXPECT_EQ(Good(R"({"dataFrom": [{"find": {"name": {"regexp": "^hello"}, "path": "app"}}]})"),
            (PlainData{{"hello", "world"}, {"hello-secret", "secret world"}}));
  EXPECT_EQ(Good(R"({"dataFrom": [{"find": {"name": {"regexp": "ingl"}}}]})"),
            (PlainData{{"single", "value"}}));
  EXPECT_EQ(Good(R"({"dataFrom": [{"find": {}}]})").size(), root_.members().size());
  EXPECT_EQ(Good(R"({"dataFrom": [{"find": {"name": {"regexp": "nothing"}}}]})"), PlainData());
  EXPECT_THAT(Bad(R"({"dataFrom": [{"find": {"tags": {"a": "b"}}}]})"),
              HasSubstr("spec.dataFrom[0].find, err: error getting all secrets: tags cannot"));
  EXPECT_THAT(Bad(R"({"dataFrom": [{"find": {"path": "single"}}]})"), HasSubstr("is a string"));
}

TEST_F(CollectDataTest, LaterEntriesAndDataWin) {
  EXPECT_EQ(Good(R"({"dataFrom": [
                {"extract": {"key": "encoded"}},
                {"extract": {"key": "encoded", "decodingStrategy": "Base64"}}],
              "data": [{"secretKey": "b", "remoteRef": {"key": "single"}}]})"),
            (PlainData{{"a", "hello"}, {"b", "value"}}));
}

TEST_F(CollectDataTest, WithRewriteThereIsNoConversion) {
  EXPECT_THAT(Bad(R"({"dataFrom": [{"extract": {"key": "app"},
                     "rewrite": [{"regexp": {"source": "hello", "target": "bye"}}]}]})"),
              HasSubstr("err: invalid secret keys (TIP: use rewrite or conversionStrategy to "
                        "change keys): key \"odd/key\""));
  EXPECT_EQ(Good(R"({"dataFrom": [{"find": {"path": "app", "name": {"regexp": "odd"}},
                     "rewrite": [{"regexp": {"source": "/", "target": "."}}]}]})"),
            (PlainData{{"odd.key", "x"}}));
}

TEST_F(CollectDataTest, DecodingErrorsNameTheKeyOnly) {
  const std::string error = Bad(
      R"({"dataFrom": [{"find": {"path": "app", "name": {"regexp": "secret"},
                                 "decodingStrategy": "Base64"}}]})");
  EXPECT_THAT(error, HasSubstr("error applying decoding strategy Base64 to data: failure decoding "
                               "key \"hello-secret\": the value is not base64"));
  EXPECT_THAT(error, Not(HasSubstr("secret world")));
  EXPECT_THAT(Bad(R"({"data": [{"secretKey": "k", "remoteRef":
                     {"key": "app.hello-secret", "decodingStrategy": "Base64URL"}}]})"),
              HasSubstr("spec.data[0] (key: app.hello-secret), err: error applying decoding "
                        "strategy Base64URL to data: the value is not base64"));
}

TEST_F(CollectDataTest, NullBytesFailWhenAsked) {
  EXPECT_EQ(Good(R"({"dataFrom": [{"extract": {"key": "binary"}}]})").at("nul").size(), 3U);
  EXPECT_THAT(Bad(R"({"dataFrom": [{"extract": {"key": "binary", "nullBytePolicy": "Fail"}}]})"),
              HasSubstr("the value of key \"nul\" contains a null byte"));
  EXPECT_THAT(Bad(R"({"data": [{"secretKey": "k", "remoteRef":
                     {"key": "binary.nul", "nullBytePolicy": "Fail"}}]})"),
              HasSubstr("contains a null byte"));
}

TEST_F(CollectDataTest, NullFailsInTheStrictForm) {
  EXPECT_THAT(Bad(R"({"dataFrom": [{"extract": {"key": "app"}}]})", {.fail_on_null = true}),
              HasSubstr("the property app.none is null"));
}

TEST_F(CollectDataTest, WhatIsNotThereIsAnErrorWithRetain) {
  EXPECT_THAT(Bad(R"({"data": [{"secretKey": "k", "remoteRef": {"key": "app.helo"}}]})"),
              HasSubstr("error processing spec.data[0] (key: app.helo), err: find property "
                        "app.helo: app has no key \"helo\"; did you mean \"hello\"?"));
  EXPECT_TRUE(missing_.empty());
}

TEST_F(CollectDataTest, WhatIsNotThereIsLeftOutWithDeleteAndMerge) {
  for (const char* policy : {"Delete", "Merge"}) {
    const std::string entries = std::string(R"({"target": {"deletionPolicy": ")") + policy + R"("},
            "dataFrom": [{"extract": {"key": "gone"}}, {"extract": {"key": "encoded"}}],
            "data": [{"secretKey": "k", "remoteRef": {"key": "app.gone"}}]})";
    EXPECT_EQ(Good(entries), (PlainData{{"a", "aGVsbG8="}, {"b", "d29ybGQ="}}));
    EXPECT_THAT(missing_,
                ElementsAre("secret does not exist at provider using spec.dataFrom[0].extract "
                            "(key: gone)",
                            "secret does not exist at provider using spec.data[0] (key: "
                            "app.gone)"));
  }
}

// A Secret must not be deleted because its store names another environment now, or lost its rights.
TEST_F(CollectDataTest, AnEnvironmentThatIsNotThereIsAlwaysAnError) {
  source_error_ = Error{.code = Code::kNotFound, .message = "open environment a/b/c: not found"};
  EXPECT_EQ(Bad(R"({"target": {"deletionPolicy": "Delete"},
                    "dataFrom": [{"extract": {"key": "app"}}]})"),
            "error processing spec.dataFrom[0].extract (key: app), err: open environment a/b/c: "
            "not found");
}

TEST_F(CollectDataTest, EntriesMayHaveStoresOfTheirOwn) {
  Good(R"({"dataFrom": [{"extract": {"key": "app"}, "sourceRef":
              {"storeRef": {"name": "other", "kind": "ClusterSecretStore"}}}],
           "data": [{"secretKey": "k", "remoteRef": {"key": "single"}},
                    {"secretKey": "l", "remoteRef": {"key": "single"},
                     "sourceRef": {"storeRef": {"name": "third"}}}]})");
  EXPECT_THAT(asked_, ElementsAre("ClusterSecretStore other", "SecretStore podinfo/store",
                                  "SecretStore podinfo/third"));
}

}  // namespace
}  // namespace escagent::mirror
