#include "agent/volume/file_name.h"

#include <gtest/gtest.h>

#include <string>

#include "base/strings.h"

namespace escagent::volume {
namespace {

TEST(FileNameTest, AcceptsWhatLinuxAccepts) {
  for (const std::string name : {"a", ".env", "a..b", " ", "ключ", "a:b\n"}) {
    EXPECT_TRUE(ValidateFileName(name)) << name;
  }
  EXPECT_TRUE(ValidateFileName(std::string(255, 'a')));
}

TEST(FileNameTest, RefusesWhatEscapesOrCollides) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("..data"),
        std::string("..2026"), std::string("a/b"), std::string("/"), std::string("a\0b", 3),
        std::string(256, 'a')}) {
    const Status status = ValidateFileName(name);
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().code, Code::kInvalidArgument);
  }
}

TEST(FileNameTest, PathsAreCheckedNameByName) {
  EXPECT_TRUE(ValidateFilePath("a/b/c"));
  for (const std::string& path :
       {std::string(), std::string("/a"), std::string("a//b"), std::string("a/"),
        std::string("a/../b"), std::string("./a"), std::string("a/..data/b"),
        std::string("a/") + std::string(256, 'b')}) {
    EXPECT_FALSE(ValidateFilePath(path)) << path;
  }
  std::string deep = "a";
  while (deep.size() <= kMaxPathLength) deep += "/a";
  EXPECT_FALSE(ValidateFilePath(deep));
}

TEST(FileNameTest, QuotesForMessagesStayShortAndReadable) {
  EXPECT_EQ(QuoteForMessage("a b"), "\"a b\"");
  EXPECT_EQ(QuoteForMessage(std::string("a\n\0", 3)), "\"a\\x0a\\x00\"");
  // Cut in the middle of a two-byte character.
  const std::string text = std::string(79, 'a') + "éé";
  const std::string quoted = QuoteForMessage(text);
  EXPECT_EQ(quoted, "\"" + std::string(79, 'a') + "...\"");
  EXPECT_TRUE(IsValidUtf8(quoted));
}

}  // namespace
}  // namespace escagent::volume
