#include "esc/devserver/shared_document.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/devserver/definition_folder.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

class SharedDocumentTest : public ::testing::Test {
 protected:
  std::string File() const { return folder_.path() + "/document.json"; }

  static Status Set(SharedDocument& document, const std::string& key, const json& value) {
    return document.Change([&](json& content) -> Status {
      content[key] = value;
      return {};
    });
  }

  const DefinitionFolder folder_;
};

TEST_F(SharedDocumentTest, OutlivesItsObject) {
  {
    SharedDocument document(File());
    EXPECT_EQ(*document.Now(), json::object());
    ASSERT_TRUE(Set(document, "a", 1));
    EXPECT_EQ(*document.Now(), json({{"a", 1}}));
  }
  SharedDocument again(File());
  EXPECT_EQ(*again.Now(), json({{"a", 1}}));
  struct stat status = {};
  ASSERT_EQ(::stat(File().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST_F(SharedDocumentTest, WithoutAFileItLivesAsLongAsItsObject) {
  SharedDocument document("");
  ASSERT_TRUE(Set(document, "a", 1));
  const SharedDocument::Snapshot before = document.Now();
  ASSERT_TRUE(Set(document, "b", 2));
  EXPECT_EQ(*document.Now(), json({{"a", 1}, {"b", 2}}));
  // What somebody is reading does not change.
  EXPECT_EQ(*before, json({{"a", 1}}));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(SharedDocumentTest, AChangeThatFailsChangesNothing) {
  for (const std::string& file : {File(), std::string()}) {
    SharedDocument document(file);
    ASSERT_TRUE(Set(document, "a", 1));
    EXPECT_FALSE(document.Change([](json& content) -> Status {
      content.clear();
      return InvalidArgument("no");
    }));
    EXPECT_EQ(*document.Now(), json({{"a", 1}}));
  }
  SharedDocument nowhere(folder_.path() + "/nowhere/document.json");
  EXPECT_FALSE(Set(nowhere, "a", 1));
}

// Two objects on one file are as two processes.
TEST_F(SharedDocumentTest, WritersDoNotLoseEachOther) {
  constexpr int kWriters = 4;
  constexpr int kWrites = 10;
  SharedDocument first(File());
  SharedDocument second(File());
  {
    std::vector<std::jthread> threads;
    for (int writer = 0; writer < kWriters; ++writer) {
      threads.emplace_back([&, writer] {
        for (int i = 0; i < kWrites; ++i) {
          EXPECT_TRUE(Set(writer % 2 == 0 ? first : second,
                          std::to_string(writer) + "." + std::to_string(i), true));
        }
      });
    }
  }
  EXPECT_EQ(first.Now()->size(), static_cast<std::size_t>(kWriters * kWrites));
  EXPECT_EQ(*first.Now(), *second.Now());
}

TEST_F(SharedDocumentTest, WhatCannotBeReadIsNothing) {
  for (const char* text : {"", "{", "[]", R"({"generation": -1, "content": {}})",
                           R"({"generation": 1, "content": []})"}) {
    std::ofstream(File(), std::ios::trunc) << text;
    SharedDocument document(File());
    EXPECT_EQ(*document.Now(), json::object()) << text;
    EXPECT_TRUE(Set(document, "a", 1));
    EXPECT_EQ(*SharedDocument(File()).Now(), json({{"a", 1}}));
  }
}

}  // namespace
}  // namespace escagent::devserver
