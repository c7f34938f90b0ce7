#include "esc/devserver/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "tests/unit/devserver/definition_folder.h"

namespace escagent::devserver {
namespace {

using ::testing::HasSubstr;

class KeyFileTest : public ::testing::Test {
 protected:
  std::string File() const { return folder_.path() + "/key"; }

  const DefinitionFolder folder_;
};

TEST_F(KeyFileTest, IsMadeOnceForItsOwnerOnly) {
  const Result<Secret> first = ReadOrMakeKey(File());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->Size(), 64u);
  struct stat status = {};
  ASSERT_EQ(::stat(File().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_TRUE(ReadOrMakeKey(File())->Equals(*first));
  EXPECT_FALSE(MakeKey().Equals(*first));
  // Nothing else is left there.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(KeyFileTest, RefusesWhatIsNoKey) {
  for (const char* text :
       {"", "short", "no hex no hex no hex no hex no hex no hex no hex no hex no hex "}) {
    std::ofstream(File(), std::ios::trunc) << text;
    const Result<Secret> key = ReadOrMakeKey(File());
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(key.error().message, HasSubstr(File()));
  }
  EXPECT_FALSE(ReadOrMakeKey(folder_.path() + "/nowhere/key"));
}

// Each process writes the key that it has got into a pipe: all the same.
TEST_F(KeyFileTest, ProcessesThatAskAtOnceGetTheSame) {
  constexpr std::size_t kProcesses = 8;
  std::array<int, 2> go = {};
  std::array<int, 2> answers = {};
  ASSERT_EQ(::pipe(go.data()), 0);
  ASSERT_EQ(::pipe(answers.data()), 0);
  std::vector<pid_t> children;
  for (std::size_t i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(go[1]);
      char unused = 0;
      if (::read(go[0], &unused, 1) < 0) ::_exit(2);  // until the parent closes its end
      const Result<Secret> key = ReadOrMakeKey(File());
      const bool written = key && ::write(answers[1], key->Reveal().data(), key->Size()) == 64;
      ::_exit(written ? 0 : 1);
    }
    children.push_back(child);
  }
  ::close(go[1]);
  ::close(answers[1]);
  const UniqueFd read_end(answers[0]);
  ::close(go[0]);
  std::string all;
  std::array<char, 256> buffer;
  for (ssize_t n = 0; (n = ::read(read_end.Get(), buffer.data(), buffer.size())) > 0;) {
    all.append(buffer.data(), static_cast<std::size_t>(n));
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  ASSERT_EQ(all.size(), 64 * kProcesses);
  for (std::size_t i = 1; i < kProcesses; ++i)
    EXPECT_EQ(all.substr(64 * i, 64), all.substr(0, 64)) << i;
}

}  // namespace
}  // namespace escagent::devserver
