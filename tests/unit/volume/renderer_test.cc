#include "agent/volume/renderer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/unit/volume/test_values.h"

namespace escagent::volume {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::map<std::string, std::string> FilesOf(const fuse::VolumeSpec& spec) {
  std::map<std::string, std::string> files;
  for (const fuse::FileSpec& file : spec.files) {
    files.emplace(file.path, std::string(file.content->Reveal()));
  }
  return files;
}

std::vector<std::string> EmptyFoldersOf(const fuse::VolumeSpec& spec) {
  std::vector<std::string> folders;
  for (const fuse::FolderSpec& folder : spec.empty_folders) folders.push_back(folder.path);
  return folders;
}

// What a volume with these attributes shows of `json`.
Result<fuse::VolumeSpec> RenderJsonText(std::string_view json,
                                        std::map<std::string, std::string> attributes) {
  attributes.emplace("secretStore", "app");
  const auto parsed = ParseVolumeAttributes(attributes, "");
  if (!parsed) return std::unexpected(parsed.error());
  return Render(SnapshotOfJson(json), *parsed);
}

TEST(RenderFilesTest, AKeyIsAFileAndAnObjectAFolder) {
  const auto spec = RenderJsonText(
      R"({"hello": "world", "app": {"port": 8080, "ratio": 1.5, "debug": false, "none": null,
          "hosts": ["a", {"name": "b"}], "empty": {}, "nobody": []}})",
      {});
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_THAT(FilesOf(*spec),
              UnorderedElementsAre(Pair("hello", "world"), Pair("app/port", "8080"),
                                   Pair("app/ratio", "1.5"), Pair("app/debug", "false"),
                                   Pair("app/none", ""), Pair("app/hosts/0", "a"),
                                   Pair("app/hosts/1/name", "b")));
  EXPECT_THAT(EmptyFoldersOf(*spec), UnorderedElementsAre("app/empty", "app/nobody"));
}

TEST(RenderFilesTest, NumbersKeepTheirText) {
  for (const std::string number :
       {"1e400", "-0", "12345678901234567890123", "1.10", "1E+2", "1.50"}) {
    esc::Value::Object members;
    members.emplace_back("n", esc::Value::Number(Secret(std::string_view(number))));
    const auto spec = Render(SnapshotOf(esc::Value::MakeObject(std::move(members))),
                             *ParseVolumeAttributes({{"secretStore", "app"}}, ""));
    ASSERT_TRUE(spec);
    EXPECT_EQ(FilesOf(*spec).at("n"), number);
  }
}

TEST(RenderFilesTest, PathSelectsASubtree) {
  const auto spec =
      RenderJsonText(R"({"app": {"db": {"user": "u"}}, "other": "x"})", {{"path", "app.db"}});
  ASSERT_TRUE(spec);
  EXPECT_THAT(FilesOf(*spec), ElementsAre(Pair("user", "u")));
}

TEST(RenderFilesTest, AScalarAtThePathIsNamedByTheLastName) {
  const std::vector<std::pair<std::string, std::string>> kCases = {
      {"app.db.user", "user"}, {"list[1]", "1"}, {"[\"a.b\"]", "a.b"}};
  for (const auto& [path, file] : kCases) {
    const auto spec = RenderJsonText(
        R"({"app": {"db": {"user": "v"}}, "list": ["x", "v"], "a.b": "v"})", {{"path", path}});
    ASSERT_TRUE(spec) << path;
    EXPECT_THAT(FilesOf(*spec), ElementsAre(Pair(file, "v")));
  }
}

TEST(RenderFilesTest, AnEmptyEnvironmentIsAnEmptyTree) {
  const auto spec = RenderJsonText("{}", {});
  ASSERT_TRUE(spec);
  EXPECT_THAT(spec->files, IsEmpty());
  EXPECT_THAT(spec->empty_folders, IsEmpty());
}

TEST(RenderFilesTest, ModesAndOwnersAreTheAttributes) {
  const auto spec =
      RenderJsonText(R"({"a": "1"})", {{"mode", "0400"}, {"uid", "10"}, {"gid", "20"}});
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->files[0].mode, 0400U);
  EXPECT_EQ(spec->uid, 10U);
  EXPECT_EQ(spec->gid, 20U);
  EXPECT_EQ(spec->folder_mode, 0700U);
}

TEST(RenderFilesTest, TextsAreSharedWithTheSnapshotAndKeepItAlive) {
  auto snapshot = SnapshotOfJson(R"({"a": "shared", "t": true, "n": null})");
  const auto attributes = *ParseVolumeAttributes({{"secretStore", "app"}}, "");
  const auto first = Render(snapshot, attributes);
  const auto second = Render(snapshot, attributes);
  ASSERT_TRUE(first && second);
  const char* const bytes = snapshot->properties.Find("a")->text().Reveal().data();
  EXPECT_EQ(first->files[0].content->Reveal().data(), bytes);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(first->files[i].content.get(), second->files[i].content.get()) << i;
  }
  const std::weak_ptr<const cache::Snapshot> watch = snapshot;
  snapshot.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(first->files[0].content->Reveal(), "shared");
}

TEST(RenderFilesTest, NamesThatCouldEscapeAreRefusedWithTheKey) {
  const std::vector<std::pair<std::string, std::string>> kCases = {
      {R"({"a/b": "canary"})", "\"a/b\""},
      {R"({"app": {"..": "canary"}})", "\"..\" in \"app\""},
      {R"({".": "canary"})", "\".\""},
      {R"({"..data": "canary"})", "\"..data\""},
      {R"({"..2026_01": {"x": "canary"}})", "\"..2026_01\""},
      {R"({"": "canary"})", "\"\""},
      {R"({"a\u0000b": "canary"})", "\"a\\x00b\""},
      {"{\"" + std::string(256, 'k') + "\": \"canary\"}", "255"}};
  for (const auto& [json, part] : kCases) {
    const auto spec = RenderJsonText(json, {});
    ASSERT_FALSE(spec) << json;
    EXPECT_EQ(spec.error().code, Code::kInvalidArgument);
    EXPECT_THAT(spec.error().message, HasSubstr(part));
    EXPECT_THAT(spec.error().message, Not(HasSubstr("canary")));
  }
}

TEST(RenderFilesTest, TreesTooDeepForAPathAreRefused) {
  std::string json = "\"canary\"";
  for (int i = 0; i < 30; ++i) json = "{\"" + std::string(200, 'k') + "\": " + json + "}";
  const auto spec = RenderJsonText(json, {});
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code, Code::kInvalidArgument);
}

TEST(RenderTest, AMissingPathIsNotFoundAndNamesWhatIsThere) {
  for (const std::string format : {"files", "json", "yaml", "dotenv", "properties"}) {
    const auto spec =
        RenderJsonText(R"({"app": {"user": "canary"}})", {{"path", "app.usr"}, {"format", format}});
    ASSERT_FALSE(spec);
    EXPECT_EQ(spec.error().code, Code::kNotFound);
    EXPECT_THAT(spec.error().message, HasSubstr("app.usr"));
    EXPECT_THAT(spec.error().message, HasSubstr("user"));
    EXPECT_THAT(spec.error().message, Not(HasSubstr("canary")));
  }
}

TEST(RenderTest, AMissingPathOfAnOptionalVolumeIsAnEmptyTree) {
  const auto spec = RenderJsonText(R"({"a": "1"})", {{"path", "b"}, {"optional", "true"}});
  ASSERT_TRUE(spec);
  EXPECT_THAT(spec->files, IsEmpty());
}

TEST(RenderTest, UnknownValuesAreNeverShown) {
  for (const std::string format : {"files", "json", "yaml", "dotenv", "properties"}) {
    esc::Value unknown = Text("canary");
    unknown.set_unknown(true);
    esc::Value::Object inner;
    inner.emplace_back("key", std::move(unknown));
    esc::Value::Object outer;
    outer.emplace_back("app", esc::Value::MakeObject(std::move(inner)));
    outer.emplace_back("fine", Text("x"));
    const auto snapshot = SnapshotOf(esc::Value::MakeObject(std::move(outer)));
    const auto attributes =
        *ParseVolumeAttributes({{"secretStore", "app"}, {"format", format}}, "");
    const auto spec = Render(snapshot, attributes);
    ASSERT_FALSE(spec) << format;
    EXPECT_EQ(spec.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(spec.error().message, HasSubstr("\"app.key\""));
    EXPECT_THAT(spec.error().message, Not(HasSubstr("canary")));
    // Elsewhere they do not matter.
    EXPECT_TRUE(
        Render(snapshot, *ParseVolumeAttributes(
                             {{"secretStore", "app"}, {"path", "fine"}, {"format", format}}, "")));
  }
}

TEST(RenderItemsTest, PicksNamesAndModes) {
  const auto spec = RenderJsonText(
      R"({"app": {"db": {"user": "u", "port": 5432}, "cert": "AAH/"}, "other": "x"})",
      {{"path", "app"},
       {"mode", "0440"},
       {"items",
        "[{path: db.user, file: conf/user}, {path: cert, file: cert.der, encoding: base64,"
        " mode: 0400}, {path: db, file: db.json}]"}});
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_THAT(
      FilesOf(*spec),
      UnorderedElementsAre(Pair("conf/user", "u"), Pair("cert.der", std::string("\x00\x01\xff", 3)),
                           Pair("db.json", "{\n  \"port\": 5432,\n  \"user\": \"u\"\n}\n")));
  EXPECT_EQ(spec->files[0].mode, 0440U);
  EXPECT_EQ(spec->files[1].mode, 0400U);
}

TEST(RenderItemsTest, KeysOutsideTheItemsMayHaveAnyName) {
  const auto spec = RenderJsonText(R"({"a/b": "x", "c": "y"})",
                                   {{"items", "[{path: c}, {path: '[\"a/b\"]', file: slash}]"}});
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_THAT(FilesOf(*spec), UnorderedElementsAre(Pair("c", "y"), Pair("slash", "x")));
}

TEST(RenderItemsTest, AMissingPathIsNotFoundOrLeftOutWhenOptional) {
  const std::string items = "[{path: a}, {path: gone}]";
  const auto spec = RenderJsonText(R"({"a": "1"})", {{"items", items}});
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code, Code::kNotFound);
  EXPECT_THAT(spec.error().message, HasSubstr("items: \"gone\""));

  const auto optional = RenderJsonText(R"({"a": "1"})", {{"items", items}, {"optional", "true"}});
  ASSERT_TRUE(optional);
  EXPECT_THAT(FilesOf(*optional), ElementsAre(Pair("a", "1")));
}

TEST(RenderItemsTest, WhatIsNotBase64IsRefusedWithoutTheValue) {
  for (const std::string json : {R"({"a": "canary!"})", R"({"a": {"b": "canary"}})"}) {
    const auto spec = RenderJsonText(json, {{"items", "[{path: a, encoding: base64}]"}});
    ASSERT_FALSE(spec);
    EXPECT_EQ(spec.error().code, Code::kInvalidArgument);
    EXPECT_THAT(spec.error().message, HasSubstr("items: \"a\""));
    EXPECT_THAT(spec.error().message, Not(HasSubstr("canary")));
  }
}

TEST(RenderJsonTest, IsCleanSortedAndExact) {
  const auto spec = RenderJsonText(R"({"b": [1, 2.5, null, true], "a": "<&>\n"})",
                                   {{"format", "json"}, {"fileName", "conf/app.json"}});
  ASSERT_TRUE(spec);
  EXPECT_THAT(FilesOf(*spec),
              ElementsAre(Pair("conf/app.json",
                               "{\n  \"a\": \"<&>\\n\",\n  \"b\": [\n    1,\n    2.5,\n"
                               "    null,\n    true\n  ]\n}\n")));
}

TEST(SameContentTest, ComparesNamesBytesModesAndOwners) {
  const auto render = [](std::string_view json, std::map<std::string, std::string> attributes) {
    return *RenderJsonText(json, std::move(attributes));
  };
  const auto base = render(R"({"a": "1", "b": {}})", {});
  EXPECT_TRUE(fuse::SameContent(base, render(R"({"a": "1", "b": {}})", {})));
  EXPECT_FALSE(fuse::SameContent(base, render(R"({"a": "2", "b": {}})", {})));
  EXPECT_FALSE(fuse::SameContent(base, render(R"({"a": "1"})", {})));
  EXPECT_FALSE(fuse::SameContent(base, render(R"({"a": "1", "b": {}, "c": ""})", {})));
  EXPECT_FALSE(fuse::SameContent(base, render(R"({"a": "1", "c": {}})", {})));
  EXPECT_FALSE(fuse::SameContent(base, render(R"({"a": "1", "b": {}})", {{"mode", "0440"}})));
  EXPECT_FALSE(fuse::SameContent(base, render(R"({"a": "1", "b": {}})", {{"uid", "1"}})));
}

TEST(MeasureTest, CountsBytesFilesAndFolders) {
  const auto spec = RenderJsonText(R"({"a": "123", "d": {"e": {"f": "45"}, "g": {}}})", {});
  ASSERT_TRUE(spec);
  const fuse::VolumeSize size = fuse::Measure(*spec);
  EXPECT_EQ(size.bytes, 5u);
  EXPECT_EQ(size.inodes, 6u);  // root, a, d, d/e, d/e/f, d/g
}

}  // namespace
}  // namespace escagent::volume
