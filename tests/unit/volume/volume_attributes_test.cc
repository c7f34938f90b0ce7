#include "agent/volume/volume_attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Attributes = std::map<std::string, std::string>;

// `extra` on top of the one attribute that every volume needs.
Attributes With(const Attributes& extra) {
  Attributes attributes = {{"secretStore", "app"}};
  for (const auto& [name, value] : extra) attributes[name] = value;
  return attributes;
}

TEST(VolumeAttributesTest, DefaultsAreTheWholeEnvironmentAsWorldReadableFiles) {
  const auto attributes = ParseVolumeAttributes({{"secretStore", "app"}}, "");
  ASSERT_TRUE(attributes) << attributes.error().message;
  EXPECT_EQ(attributes->store.ToString(), "SecretStore app");
  EXPECT_EQ(attributes->path, "");
  EXPECT_EQ(attributes->format, Format::kFiles);
  EXPECT_EQ(attributes->mode, 0444U);
  EXPECT_EQ(attributes->folder_mode, 0755U);
  EXPECT_EQ(attributes->uid, 0U);
  EXPECT_EQ(attributes->gid, 0U);
  EXPECT_FALSE(attributes->refresh_interval);
  EXPECT_FALSE(attributes->optional);
  EXPECT_EQ(attributes->backend, fuse::Backend::kFuse);
  EXPECT_EQ(attributes->cache, fuse::CacheProfile::kPage);
}

TEST(VolumeAttributesTest, ReadsEveryAttribute) {
  const auto attributes = ParseVolumeAttributes({{"clusterSecretStore", "shared"},
                                                 {"path", "app.db[\"user.name\"][0]"},
                                                 {"format", "files"},
                                                 {"items",
                                                  "- {path: a.b, file: conf/b, mode: '0400'}\n"
                                                  "- path: cert\n"
                                                  "  encoding: base64\n"},
                                                 {"mode", "0640"},
                                                 {"uid", "1000"},
                                                 {"gid", "2000"},
                                                 {"refreshInterval", "1m30s"},
                                                 {"optional", "true"},
                                                 {"cache", "full"},
                                                 {"backend", "fuse"}},
                                                "");
  ASSERT_TRUE(attributes) << attributes.error().message;
  EXPECT_EQ(attributes->store.ToString(), "ClusterSecretStore shared");
  EXPECT_EQ(attributes->path, "app.db[\"user.name\"][0]");
  ASSERT_EQ(attributes->items.size(), 2U);
  EXPECT_EQ(attributes->items[0], (Item{"a.b", "conf/b", 0400, Encoding::kUtf8}));
  EXPECT_EQ(attributes->items[1], (Item{"cert", "cert", std::nullopt, Encoding::kBase64}));
  EXPECT_EQ(attributes->mode, 0640U);
  EXPECT_EQ(attributes->folder_mode, 0750U);
  EXPECT_EQ(attributes->uid, 1000U);
  EXPECT_EQ(attributes->gid, 2000U);
  EXPECT_EQ(attributes->refresh_interval, std::chrono::seconds(90));
  EXPECT_TRUE(attributes->optional);
  EXPECT_EQ(attributes->cache, fuse::CacheProfile::kFull);
  EXPECT_EQ(attributes->backend, fuse::Backend::kFuse);
}

TEST(VolumeAttributesTest, BackendTmpfs) {
  const auto attributes = ParseVolumeAttributes(With({{"backend", "tmpfs"}}), "");
  ASSERT_TRUE(attributes) << attributes.error().message;
  EXPECT_EQ(attributes->backend, fuse::Backend::kTmpfs);
}

TEST(VolumeAttributesTest, SingleFileFormatsHaveDefaultNames) {
  const std::vector<std::pair<std::string, std::string>> kCases = {
      {"json", "values.json"},
      {"yaml", "values.yaml"},
      {"dotenv", ".env"},
      {"properties", "values.properties"}};
  for (const auto& [format, name] : kCases) {
    const auto attributes = ParseVolumeAttributes(With({{"format", format}}), "");
    ASSERT_TRUE(attributes) << attributes.error().message;
    EXPECT_EQ(attributes->file_name, name);
  }
  const auto named =
      ParseVolumeAttributes(With({{"format", "json"}, {"fileName", "conf/app.json"}}), "");
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(named->file_name, "conf/app.json");
}

TEST(VolumeAttributesTest, FsGroupSetsGroupAndModes) {
  const auto attributes = ParseVolumeAttributes(With({}), "3000");
  ASSERT_TRUE(attributes) << attributes.error().message;
  EXPECT_EQ(attributes->gid, 3000U);
  EXPECT_EQ(attributes->mode, 0440U);
  EXPECT_EQ(attributes->folder_mode, 0750U);
}

TEST(VolumeAttributesTest, AttributesWinOverFsGroup) {
  const auto attributes = ParseVolumeAttributes(With({{"gid", "5"}, {"mode", "0400"}}), "3000");
  ASSERT_TRUE(attributes) << attributes.error().message;
  EXPECT_EQ(attributes->gid, 5U);
  EXPECT_EQ(attributes->mode, 0400U);
  // The group may still go through.
  EXPECT_EQ(attributes->folder_mode, 0750U);
}

TEST(VolumeAttributesTest, FoldersAreOpenForWhoeverCanReadAFile) {
  const std::vector<std::pair<std::string, mode_t>> kCases = {
      {"0400", 0700}, {"0440", 0750}, {"0444", 0755}, {"0404", 0705}};
  for (const auto& [mode, folder_mode] : kCases) {
    const auto attributes = ParseVolumeAttributes(With({{"mode", mode}}), "");
    ASSERT_TRUE(attributes);
    EXPECT_EQ(attributes->folder_mode, folder_mode) << mode;
  }
  const auto item =
      ParseVolumeAttributes(With({{"mode", "0400"}, {"items", "[{path: a, mode: 0444}]"}}), "");
  ASSERT_TRUE(item);
  EXPECT_EQ(item->folder_mode, 0755U);
}

TEST(VolumeAttributesTest, OctalModesInEveryUsualSpelling) {
  for (const std::string mode : {"0640", "640", "0o640"}) {
    const auto attributes = ParseVolumeAttributes(With({{"mode", mode}}), "");
    ASSERT_TRUE(attributes) << mode;
    EXPECT_EQ(attributes->mode, 0640U) << mode;
  }
}

struct BadInput {
  const char* description;
  Attributes attributes;
  std::vector<std::string> message_parts;
};

class BadAttributesTest : public ::testing::TestWithParam<BadInput> {};

TEST_P(BadAttributesTest, IsInvalidArgumentThatNamesTheAttribute) {
  const auto attributes = ParseVolumeAttributes(GetParam().attributes, "");
  ASSERT_FALSE(attributes) << GetParam().description;
  EXPECT_EQ(attributes.error().code, Code::kInvalidArgument);
  for (const std::string& part : GetParam().message_parts) {
    EXPECT_THAT(attributes.error().message, HasSubstr(part)) << GetParam().description;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadAttributesTest,
    ::testing::Values(
        BadInput{"no store", {}, {"secretStore", "clusterSecretStore", "exactly one"}},
        BadInput{"two stores",
                 {{"secretStore", "a"}, {"clusterSecretStore", "b"}},
                 {"exactly one of secretStore and clusterSecretStore"}},
        BadInput{"empty store", {{"secretStore", ""}}, {"secretStore", "name of a store"}},
        BadInput{"unknown attribute",
                 With({{"refreshIntervall", "10s"}}),
                 {"\"refreshIntervall\"", "did you mean \"refreshInterval\"?"}},
        BadInput{"attribute with another case",
                 With({{"Format", "json"}}),
                 {"\"Format\"", "did you mean \"format\"?"}},
        BadInput{"unknown and like nothing", With({{"zzzzzzzzzzzz", "1"}}), {"\"zzzzzzzzzzzz\""}},
        BadInput{"path", With({{"path", "a..b"}}), {"path:", "offset"}},
        BadInput{"path with an open bracket", With({{"path", "a[0"}}), {"path:"}},
        BadInput{"format",
                 With({{"format", "xml"}}),
                 {"format:", "files, json, yaml, dotenv, properties", "xml"}},
        BadInput{"fileName without a format", With({{"fileName", "a"}}), {"fileName:", "json"}},
        BadInput{"fileName escapes",
                 With({{"format", "json"}, {"fileName", "../a"}}),
                 {"fileName:", ".."}},
        BadInput{"fileName is absolute",
                 With({{"format", "json"}, {"fileName", "/etc/passwd"}}),
                 {"fileName:", "relative"}},
        BadInput{"fileName escapes later",
                 With({{"format", "json"}, {"fileName", "a/../../b"}}),
                 {"fileName:"}},
        BadInput{"fileName is empty", With({{"format", "json"}, {"fileName", ""}}), {"fileName:"}},
        BadInput{
            "fileName is a folder", With({{"format", "json"}, {"fileName", "a/"}}), {"fileName:"}},
        BadInput{"fileName of the atomic writer",
                 With({{"format", "json"}, {"fileName", "..data"}}),
                 {"fileName:"}},
        BadInput{"fileName too long",
                 With({{"format", "json"}, {"fileName", std::string(256, 'a')}}),
                 {"fileName:", "255"}},
        BadInput{"items with a single-file format",
                 With({{"format", "json"}, {"items", "[{path: a}]"}}),
                 {"items:", "format files"}},
        BadInput{"items no YAML", With({{"items", "[{"}}), {"items", "line"}},
        BadInput{"items that yaml-cpp never finishes", With({{"items", ","}}), {"items", "line"}},
        BadInput{"items no list", With({{"items", "path: a"}}), {"items:", "list"}},
        BadInput{"items empty", With({{"items", "[]"}}), {"items:"}},
        BadInput{"item no map", With({{"items", "[a]"}}), {"items[0]:", "path, file, mode"}},
        BadInput{"item without a path", With({{"items", "[{file: a}]"}}), {"items[0]", "path"}},
        BadInput{"item with a wrong path",
                 With({{"items", "[{path: a}, {path: 'a..b'}]"}}),
                 {"items[1].path"}},
        BadInput{"item of everything without a file",
                 With({{"items", "[{path: ''}]"}}),
                 {"items[0]", "file"}},
        BadInput{"item with an unknown key",
                 With({{"items", "[{path: a, fil: b}]"}}),
                 {"items[0]", "fil", "did you mean \"file\"?"}},
        BadInput{
            "item escapes", With({{"items", "[{path: a, file: ../b}]"}}), {"items[0].file", ".."}},
        BadInput{"item's default file escapes",
                 With({{"items", "[{path: 'a[\"../b\"]'}]"}}),
                 {"items[0].file"}},
        BadInput{
            "item mode", With({{"items", "[{path: a, mode: 9}]"}}), {"items[0].mode", "octal"}},
        BadInput{"item encoding",
                 With({{"items", "[{path: a, encoding: hex}]"}}),
                 {"items[0].encoding", "utf8, base64"}},
        BadInput{
            "item with a nested value", With({{"items", "[{path: {a: b}}]"}}), {"items[0].path"}},
        BadInput{"two items for a file",
                 With({{"items", "[{path: a, file: x}, {path: b, file: x}]"}}),
                 {"items", "\"x\""}},
        BadInput{"an item's file is a folder",
                 With({{"items", "[{path: a, file: x/y}, {path: b, file: x}]"}}),
                 {"items", "\"x\"", "folder"}},
        BadInput{"mode not octal", With({{"mode", "0888"}}), {"mode:", "0 to 0777", "0888"}},
        BadInput{"mode with special bits", With({{"mode", "04755"}}), {"mode:"}},
        BadInput{"mode in letters", With({{"mode", "rw-r--r--"}}), {"mode:"}},
        BadInput{"mode negative", With({{"mode", "-1"}}), {"mode:"}},
        BadInput{"mode empty", With({{"mode", ""}}), {"mode:"}},
        BadInput{"uid a name", With({{"uid", "root"}}), {"uid:", "4294967294"}},
        BadInput{"uid no one", With({{"uid", "4294967295"}}), {"uid:"}},
        BadInput{"gid negative", With({{"gid", "-5"}}), {"gid:"}},
        BadInput{"interval without a unit",
                 With({{"refreshInterval", "10"}}),
                 {"refreshInterval:", "1s to 24h"}},
        BadInput{"interval too short", With({{"refreshInterval", "10ms"}}), {"refreshInterval:"}},
        BadInput{"interval too long", With({{"refreshInterval", "25h"}}), {"refreshInterval:"}},
        BadInput{"interval negative", With({{"refreshInterval", "-10s"}}), {"refreshInterval:"}},
        BadInput{"optional", With({{"optional", "yes"}}), {"optional:", "true, false"}},
        BadInput{"cache", With({{"cache", "all"}}), {"cache:", "none, page, full"}},
        BadInput{"backend", With({{"backend", "nfs"}}), {"backend:", "fuse, tmpfs", "nfs"}},
        BadInput{"backend empty", With({{"backend", ""}}), {"backend:", "fuse, tmpfs"}},
        BadInput{"cache with tmpfs",
                 With({{"backend", "tmpfs"}, {"cache", "page"}}),
                 {"cache:", "only with backend fuse", "tmpfs"}},
        BadInput{"backend misspelt",
                 With({{"backen", "tmpfs"}}),
                 {"\"backen\"", "did you mean \"backend\"?"}},
        BadInput{"mirrorTo empty", With({{"mirrorTo", ""}}), {"mirrorTo:", "lower-case"}},
        BadInput{"mirrorTo in capitals", With({{"mirrorTo", "App"}}), {"mirrorTo:", "App"}},
        BadInput{"mirrorTo with a folder", With({{"mirrorTo", "a/b"}}), {"mirrorTo:", "a/b"}},
        BadInput{"mirrorTo with an empty part", With({{"mirrorTo", "a..b"}}), {"mirrorTo:"}},
        BadInput{"mirrorTo with a dash at an end", With({{"mirrorTo", "a.-b"}}), {"mirrorTo:"}},
        BadInput{"mirrorTo too long",
                 With({{"mirrorTo", std::string(254, 'a')}}),
                 {"mirrorTo:", "at most 253"}},
        BadInput{"environment with a store",
                 With({{"environment", "acme/web/dev"}, {"auth", "pod"}}),
                 {"environment:", "not together with secretStore"}},
        BadInput{"auth with a store", With({{"auth", "pod"}}), {"auth:", "only with environment"}},
        BadInput{"authScope with a store",
                 With({{"authScope", "team:ops"}}),
                 {"authScope:", "only with environment"}},
        BadInput{"environment without auth",
                 {{"environment", "acme/web/dev"}},
                 {"environment: needs auth: pod"}},
        BadInput{"auth unknown",
                 {{"environment", "acme/web/dev"}, {"auth", "node"}},
                 {"auth: must be pod", "node"}},
        BadInput{
            "environment unreadable", {{"environment", "web"}, {"auth", "pod"}}, {"environment:"}},
        BadInput{"authScope unknown",
                 {{"environment", "acme/web/dev"}, {"auth", "pod"}, {"authScope", "team:"}},
                 {"authScope:", "team:NAME"}},
        BadInput{"onRevoke", With({{"onRevoke", "delete"}}), {"onRevoke:", "keep, empty"}}));

TEST(VolumeAttributesTest, AnEnvironmentIsOpenedAsThePod) {
  const auto parsed = ParseVolumeAttributes({{"environment", "acme/web/dev@stable"},
                                             {"auth", "pod"},
                                             {"authScope", "user:ann"},
                                             {"onRevoke", "empty"}},
                                            "");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_TRUE(parsed->pod_environment);
  EXPECT_EQ(parsed->pod_environment->ref.ToString(), "acme/web/dev@stable");
  EXPECT_EQ(parsed->pod_environment->scope, "user:ann");
  EXPECT_EQ(parsed->on_revoke, OnRevoke::kEmpty);

  const auto plain = ParseVolumeAttributes(
      {{"environment", "acme/web/dev"}, {"auth", "pod"}, {"authScope", "organization"}}, "");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->pod_environment->scope, "");
  EXPECT_EQ(plain->on_revoke, OnRevoke::kKeep);
}

TEST(VolumeAttributesTest, MirrorToIsTheNameOfASecret) {
  for (const std::string& name :
       {std::string("app"), std::string("0.app-env.v1"), std::string(253, 'a')}) {
    const auto attributes = ParseVolumeAttributes(With({{"mirrorTo", name}}), "");
    ASSERT_TRUE(attributes) << attributes.error().message;
    EXPECT_EQ(attributes->mirror_to, name);
  }
  EXPECT_EQ(ParseVolumeAttributes(With({}), "")->mirror_to, "");
}

TEST(VolumeAttributesTest, ListsAllErrorsAtOnce) {
  const auto attributes = ParseVolumeAttributes(
      {{"mode", "9"}, {"uid", "x"}, {"optional", "1"}, {"colour", "red"}}, "");
  ASSERT_FALSE(attributes);
  for (const std::string name : {"mode:", "uid:", "optional:", "\"colour\"", "secretStore"}) {
    EXPECT_THAT(attributes.error().message, HasSubstr(name));
  }
}

TEST(VolumeAttributesTest, WrongFsGroupIsNamed) {
  for (const std::string group : {"abc", "-1", "4294967295", "1 "}) {
    const auto attributes = ParseVolumeAttributes(With({}), group);
    ASSERT_FALSE(attributes) << group;
    EXPECT_THAT(attributes.error().message, HasSubstr("fsGroup"));
  }
}

TEST(VolumeAttributesTest, ATokenInTheWrongAttributeIsNotRepeated) {
  const std::string token = "pul-canary0123456789012345678901234567890123";
  for (const std::string name : {"mode", "uid", "gid", "format", "optional", "cache", "backend",
                                 "refreshInterval", "auth", "token", "items"}) {
    const auto attributes = ParseVolumeAttributes(With({{name, token}}), "");
    ASSERT_FALSE(attributes) << name;
    EXPECT_THAT(attributes.error().message, Not(HasSubstr("canary"))) << name;
  }
}

}  // namespace
}  // namespace escagent::volume
