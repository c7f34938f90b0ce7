#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace escagent {
namespace {

using testing::HasSubstr;

class FileTest : public testing::Test {
 protected:
  FileTest() {
    std::string pattern = testing::TempDir() + "file_test.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~FileTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }

 private:
  std::string folder_;
};

TEST_F(FileTest, ReadsTheWhole) {
  for (const std::size_t size : {0U, 1U, 16383U, 16384U, 16385U, 200000U}) {
    const std::string text(size, 'x');
    Write(Path("a"), text);
    const Result<Secret> read = ReadFile(Path("a"));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->Reveal(), text);
  }
}

TEST_F(FileTest, LimitIsInclusive) {
  Write(Path("a"), std::string(100, 'x'));
  EXPECT_TRUE(ReadFile(Path("a"), 100));
  const Result<Secret> read = ReadFile(Path("a"), 99);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kResourceExhausted);
  EXPECT_THAT(read.error().message, HasSubstr(Path("a")));
  EXPECT_THAT(read.error().message, HasSubstr("99"));
}

TEST_F(FileTest, ErrorsNameThePath) {
  const Result<Secret> missing = ReadFile(Path("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr(Path("missing")));
  const Result<Secret> folder = ReadFile(Path(""));
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, Code::kInvalidArgument);
}

TEST_F(FileTest, WritesWholeAndLeavesNothingBeside) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "first, a longer text"));
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "second"));
  EXPECT_EQ(ReadFile(Path("a"))->Reveal(), "second");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(Path("")), {}), 1);
}

TEST_F(FileTest, ReadersNeverSeeHalf) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old"));
  std::ifstream open_before(Path("a"));
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "new"));
  std::string text;
  open_before >> text;
  EXPECT_EQ(text, "old") << "an open file keeps its bytes: the new one is another inode";
}

TEST_F(FileTest, WriteErrorsNameThePath) {
  const Status written = WriteFileAtomically(Path("missing/a"), "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kNotFound);
  EXPECT_THAT(written.error().message, HasSubstr("missing/a"));

  std::filesystem::create_directory(Path("folder"));
  EXPECT_FALSE(WriteFileAtomically(Path("folder"), "x"));
  EXPECT_FALSE(std::filesystem::exists(Path("folder.tmp")));
}

}  // namespace
}  // namespace escagent
