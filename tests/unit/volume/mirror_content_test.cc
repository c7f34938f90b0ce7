#include "agent/volume/mirror_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/unit/volume/test_values.h"

namespace escagent::volume {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using Texts = std::map<std::string, std::string>;

constexpr char kValues[] = R"({"app": {"user": "u", "big": 12345678901234567890, "on": true,
    "none": null, "db": {"b": [1, 2], "a": "<x>"}, "a b/c": "odd"}, "list": ["x", {"k": 1}]})";

Result<std::optional<mirror::SecretData>> Content(const VolumeAttributes& attributes,
                                                  const char* json = kValues) {
  return MirrorContent(SnapshotOfJson(json), attributes);
}

Texts TextsOf(const VolumeAttributes& attributes, const char* json = kValues) {
  const auto content = Content(attributes, json);
  EXPECT_TRUE(content && *content) << (content ? "no content" : content.error().message);
  Texts texts;
  if (!content || !*content) return texts;
  for (const auto& [key, value] : **content) texts[key] = std::string(value.Reveal());
  return texts;
}

VolumeAttributes At(const std::string& path) {
  VolumeAttributes attributes;
  attributes.store.name = "app";
  attributes.path = path;
  return attributes;
}

TEST(MirrorContentTest, FilesAreTheKeysOfTheObject) {
  EXPECT_THAT(TextsOf(At("app")),
              ElementsAre(Pair("a_b_c", "odd"), Pair("big", "12345678901234567890"),
                          Pair("db", R"({"a":"<x>","b":[1,2]})"), Pair("none", ""),
                          Pair("on", "true"), Pair("user", "u")));
}

TEST(MirrorContentTest, ArraysAndScalarsHaveKeysToo) {
  EXPECT_THAT(TextsOf(At("list")), ElementsAre(Pair("0", "x"), Pair("1", R"({"k":1})")));
  EXPECT_THAT(TextsOf(At("app.user")), ElementsAre(Pair("user", "u")));
  EXPECT_THAT(TextsOf(At("list[0]")), ElementsAre(Pair("0", "x")));
}

TEST(MirrorContentTest, ItemsAndDocumentsAreAKeyForEachFile) {
  VolumeAttributes items = At("app");
  items.items = {{.path = "user", .file = "db/login", .mode = {}, .encoding = Encoding::kUtf8},
                 {.path = "on", .file = "on", .mode = {}, .encoding = Encoding::kUtf8}};
  EXPECT_THAT(TextsOf(items), ElementsAre(Pair("db.login", "u"), Pair("on", "true")));

  VolumeAttributes document = At("app.db");
  document.format = Format::kDotenv;
  document.file_name = "config/.env";
  EXPECT_THAT(TextsOf(document), ElementsAre(Pair("config..env", HasSubstr("b_0=1\n"))));
}

TEST(MirrorContentTest, WhatIsMissingIsAnErrorUnlessOptional) {
  VolumeAttributes attributes = At("nothing");
  const auto missing = Content(attributes);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("nothing"));
  attributes.optional = true;
  const auto optional = Content(attributes);
  ASSERT_TRUE(optional);
  EXPECT_FALSE(*optional);

  VolumeAttributes items = At("app");
  items.optional = true;
  items.items = {{.path = "no", .file = "no", .mode = {}, .encoding = Encoding::kUtf8}};
  const auto no_item = Content(items);
  ASSERT_TRUE(no_item);
  EXPECT_FALSE(*no_item);
}

TEST(MirrorContentTest, KeysThatCollideOrAreRefusedAreNamedWithoutValues) {
  const auto collision = Content(At(""), R"({"a b": "canary1", "a_b": "canary2"})");
  ASSERT_FALSE(collision);
  EXPECT_EQ(collision.error().code, Code::kInvalidArgument);
  EXPECT_THAT(collision.error().message, HasSubstr("\"a_b\""));
  EXPECT_THAT(collision.error().message, Not(HasSubstr("canary")));

  const auto letters = Content(At(""), R"({"gr\u00fcn": "canary"})");
  ASSERT_FALSE(letters);
  EXPECT_THAT(letters.error().message, HasSubstr("use `items` to name it"));
  EXPECT_THAT(letters.error().message, Not(HasSubstr("canary")));
}

TEST(MirrorContentTest, TheSourceTellsApartWhateverChangesTheData) {
  VolumeAttributes attributes = At("");
  EXPECT_EQ(MirrorSource(attributes, "web"), "SecretStore/app");
  attributes.store.cluster = true;
  attributes.path = "app.db";
  EXPECT_EQ(MirrorSource(attributes, "web"), "ClusterSecretStore/app path=app.db");
  VolumeAttributes document = attributes;
  document.format = Format::kJson;
  document.file_name = "x.json";
  EXPECT_EQ(MirrorSource(document, "web"),
            "ClusterSecretStore/app path=app.db format=json fileName=x.json");

  VolumeAttributes items = attributes;
  items.items = {{.path = "a", .file = "b", .mode = {}, .encoding = Encoding::kUtf8}};
  VolumeAttributes decoded = items;
  decoded.items[0].encoding = Encoding::kBase64;
  EXPECT_THAT(MirrorSource(items, "web"), HasSubstr(" items="));
  EXPECT_NE(MirrorSource(items, "web"), MirrorSource(decoded, "web"));
  // Modes are of the files alone.
  decoded = items;
  decoded.items[0].mode = 0400;
  decoded.mode = 0400;
  EXPECT_EQ(MirrorSource(items, "web"), MirrorSource(decoded, "web"));
}

TEST(MirrorSourceTest, PodsOfOtherServiceAccountsShareNoSecret) {
  VolumeAttributes attributes;
  attributes.pod_environment = {.ref = {"acme", "web", "dev", ""}, .scope = ""};
  EXPECT_EQ(MirrorSource(attributes, "web"), "environment/acme/web/dev serviceAccount=web");
  EXPECT_NE(MirrorSource(attributes, "web"), MirrorSource(attributes, "api"));
  attributes.pod_environment->scope = "team:ops";
  EXPECT_THAT(MirrorSource(attributes, "web"), HasSubstr(" authScope=team:ops"));
}

}  // namespace
}  // namespace escagent::volume
