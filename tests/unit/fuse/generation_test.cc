#include "fuse/generation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/fuse/spec_builder.h"

namespace escagent::fuse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Generation::Time kTime{std::chrono::seconds{1000}};

Result<std::shared_ptr<const Generation>> Make(const VolumeSpec& spec) {
  NameTable names;
  return Generation::Create(spec, 7, kTime, names);
}

TEST(GenerationTest, ShowsFilesAndTheFoldersTheyImply) {
  const auto made = Make(SpecOf({{"app/db/password", "secret"}, {"hello", "world"}}));
  ASSERT_TRUE(made) << made.error().message;
  const Generation& generation = **made;
  EXPECT_EQ(generation.FolderName(), "..7");
  EXPECT_EQ(generation.TotalBytes(), 11u);
  const GenerationNode* app = generation.FindChild(generation.Root(), "app");
  ASSERT_NE(app, nullptr);
  EXPECT_TRUE(app->is_folder);
  EXPECT_EQ(app->folder_count, 1u);
  const GenerationNode* password =
      generation.FindChild(*generation.FindChild(*app, "db"), "password");
  ASSERT_NE(password, nullptr);
  EXPECT_EQ(password->content->Reveal(), "secret");
  EXPECT_EQ(generation.Find(password->index), password);
  EXPECT_EQ(generation.FindChild(generation.Root(), "absent"), nullptr);
}

TEST(GenerationTest, AcceptsAnEmptyVolumeAndEmptyFolders) {
  EXPECT_TRUE(Make(VolumeSpec{}));
  VolumeSpec spec = SpecOf({{"a/b", "1"}});
  spec.empty_folders = {{"empty"}, {"a"}, {"a/deep/er"}, {"empty"}};
  const auto made = Make(spec);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_NE((*made)->FindChild((*made)->Root(), "empty"), nullptr);
}

struct RefusedCase {
  std::string desc;
  std::string path;
  std::string named;  // what the error must say
};

TEST(GenerationTest, RefusesPathsThatCannotBeShown) {
  const std::vector<RefusedCase> cases = {
      {"empty", "", "\"\": the path is empty"},
      {"absolute", "/etc/passwd", "/etc/passwd"},
      {"parent first", "../x", "../x"},
      {"parent inside", "a/../b", "a/../b"},
      {"parent last", "a/..", "a/.."},
      {"dot", "a/./b", "a/./b"},
      {"only a dot", ".", "\".\""},
      {"only two dots", "..", "\"..\""},
      {"the data symlink", "..data", "..data"},
      {"below the data symlink", "..data/x", "..data/x"},
      {"any name in the reserved space", "..mine", "..mine"},
      {"empty part", "a//b", "a//b"},
      {"trailing slash", "a/", "a/"},
      {"NUL", std::string("a\0b", 3), "a\\x00b"},
      {"long part", "a/" + std::string(256, 'n'), "255 bytes"},
      {"long path", std::string(2049, 'n') + "/" + std::string(2049, 'n'), "4096 bytes"},
  };
  for (const RefusedCase& c : cases) {
    SCOPED_TRACE(c.desc);
    const auto file = Make(SpecOf({{"fine", "1"}, {c.path, "1"}}));
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, Code::kInvalidArgument);
    EXPECT_THAT(file.error().message, HasSubstr(c.named));

    VolumeSpec folders;
    folders.empty_folders = {{c.path}};
    const auto folder = Make(folders);
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error().code, Code::kInvalidArgument);
  }
}

TEST(GenerationTest, AcceptsUnusualButHarmlessPaths) {
  std::string deep = "d";
  while (deep.size() + 2 <= 4096) deep += "/d";
  for (const std::string& path :
       std::vector<std::string>{".hidden", "...", "a/..b", "a/...", "sp ace", "tab\tname",
                                "\xff\xfe", "n\nl", std::string(255, 'n'), deep}) {
    const bool reserved = path.starts_with("..");
    EXPECT_EQ(Make(SpecOf({{path, "1"}})).has_value(), !reserved) << path;
  }
}

TEST(GenerationTest, RefusesConflictsAndBadModesNamingThePath) {
  const auto twice = Make(SpecOf({{"a/b", "1"}, {"a/b", "1"}}));
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("\"a/b\": the path is used twice"));

  for (const VolumeSpec& spec :
       {SpecOf({{"a", "1"}, {"a/b", "2"}}), SpecOf({{"a/b", "2"}, {"a", "1"}})}) {
    const auto both = Make(spec);
    ASSERT_FALSE(both);
    EXPECT_EQ(both.error().code, Code::kInvalidArgument);
    EXPECT_THAT(both.error().message, HasSubstr("\"a\": it is a file and also a folder"));
  }
  VolumeSpec folder_and_file = SpecOf({{"a", "1"}});
  folder_and_file.empty_folders = {{"a"}};
  EXPECT_FALSE(Make(folder_and_file));

  VolumeSpec set_uid = SpecOf({{"tool", "1"}});
  set_uid.files[0].mode = 04755;
  const auto mode = Make(set_uid);
  ASSERT_FALSE(mode);
  EXPECT_THAT(mode.error().message, HasSubstr("\"tool\""));

  VolumeSpec no_content = SpecOf({{"null", ""}});
  no_content.files[0].content = nullptr;
  EXPECT_FALSE(Make(no_content));
}

TEST(GenerationTest, ErrorsNeverHoldTheContent) {
  const auto twice = Make(SpecOf({{"key", "CANARY-1"}, {"key", "CANARY-2"}}));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().ToString().find("CANARY"), std::string::npos);
}

TEST(GenerationTest, EqualityLooksAtEverythingShownAndNotAtOrder) {
  NameTable names;
  const auto make = [&names](const VolumeSpec& spec) {
    return *Generation::Create(spec, 1, kTime, names);
  };
  const VolumeSpec base = SpecOf({{"a", "1"}, {"b/c", "2"}});
  const auto original = make(base);
  EXPECT_TRUE(original->ShowsSameAs(*make(SpecOf({{"b/c", "2"}, {"a", "1"}}))));

  std::vector<VolumeSpec> others(7, base);
  others[0].files[0].content = Bytes("x");
  others[1].files[0].mode = 0400;
  others[2].uid = 1;
  others[3].gid = 1;
  others[4].folder_mode = 0750;
  others[5].empty_folders = {{"e"}};
  others[6].files.pop_back();
  for (std::size_t i = 0; i < others.size(); ++i) {
    EXPECT_FALSE(original->ShowsSameAs(*make(others[i]))) << i;
  }
}

TEST(GenerationTest, CanBeBuiltAgainFromItsSpecAndTheNames) {
  NameTable names;
  const VolumeSpec older = SpecOf({{"z", "0"}, {"gone", "0"}});
  ASSERT_TRUE(Generation::Create(older, 1, kTime, names));
  VolumeSpec spec = SpecOf({{"z", "1"}, {"a/b", "2"}});
  spec.empty_folders = {{"e"}};
  spec.uid = 5;
  const auto original = *Generation::Create(spec, 2, kTime, names);

  NameTable restored_names(names.Paths());
  const auto restored =
      *Generation::Create(original->ToSpec(), 2, original->CreatedAt(), restored_names);
  EXPECT_TRUE(original->ShowsSameAs(*restored));
  EXPECT_EQ(names.Paths(), restored_names.Paths());
}

}  // namespace
}  // namespace escagent::fuse
