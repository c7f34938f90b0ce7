#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <utility>

namespace escagent {
namespace {

int OpenNull() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFdTest, ClosesWhatItOwns) {
  const int raw = OpenNull();
  {
    const UniqueFd fd(raw);
    EXPECT_TRUE(fd);
    EXPECT_EQ(fd.Get(), raw);
    EXPECT_TRUE(IsOpen(raw));
  }
  EXPECT_FALSE(IsOpen(raw));
}

TEST(UniqueFdTest, NoneByDefault) {
  const UniqueFd fd;
  EXPECT_FALSE(fd);
  EXPECT_EQ(fd.Get(), -1);
}

TEST(UniqueFdTest, MovingPassesOwnership) {
  const int raw = OpenNull();
  UniqueFd a(raw);
  UniqueFd b(std::move(a));
  EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): the contract
  EXPECT_EQ(b.Get(), raw);

  const int other = OpenNull();
  UniqueFd c(other);
  c = std::move(b);
  EXPECT_FALSE(IsOpen(other));
  EXPECT_TRUE(IsOpen(raw));
  UniqueFd& same = c;
  c = std::move(same);
  EXPECT_TRUE(IsOpen(raw)) << "self-assignment keeps the descriptor";
}

TEST(UniqueFdTest, ResetAndRelease) {
  const int raw = OpenNull();
  UniqueFd fd(raw);
  EXPECT_EQ(fd.Release(), raw);
  EXPECT_FALSE(fd);
  EXPECT_TRUE(IsOpen(raw));
  fd.Reset(raw);
  fd.Reset();
  EXPECT_FALSE(IsOpen(raw));
}

}  // namespace
}  // namespace escagent
