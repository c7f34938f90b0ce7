#include "csi/unix_listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace escagent::csi {
namespace {

using ::testing::HasSubstr;

class UnixListenerTest : public ::testing::Test {
 protected:
  UnixListenerTest() {
    std::string name = ::testing::TempDir() + "listener.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "mkdtemp";
    folder_ = name;
    path_ = name + "/csi.sock";
  }
  ~UnixListenerTest() override { std::filesystem::remove_all(folder_); }

  static ino_t InodeAt(const std::string& path) {
    struct stat info{};
    return lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
  }

  static bool CanDial(const std::string& path) {
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    return connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  std::ptrdiff_t FileCount() const {
    return std::distance(std::filesystem::directory_iterator(folder_),
                         std::filesystem::directory_iterator());
  }

  std::string folder_;
  std::string path_;
};

TEST_F(UnixListenerTest, ListensWithModeOwnerOnly) {
  const auto old_umask = umask(0);
  const Result<UnixListener> listener = UnixListener::Bind(path_);
  umask(old_umask);
  ASSERT_TRUE(listener) << listener.error().message;
  struct stat info{};
  ASSERT_EQ(lstat(path_.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  EXPECT_EQ(listener->PathOwner(), UnixListener::Owner::kThis);
  EXPECT_TRUE(CanDial(path_));
  EXPECT_EQ(FileCount(), 1) << "the temporary name is still there";
}

TEST_F(UnixListenerTest, IsCloseOnExecAndNonBlocking) {
  const Result<UnixListener> listener = UnixListener::Bind(path_);
  ASSERT_TRUE(listener);
  EXPECT_TRUE(fcntl(listener->Fd(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(fcntl(listener->Fd(), F_GETFL) & O_NONBLOCK);
}

TEST_F(UnixListenerTest, ReplacesAStaleSocket) {
  {
    const UniqueFd stale(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path_, address.sun_path);
    ASSERT_EQ(bind(stale.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_FALSE(CanDial(path_));
  const Result<UnixListener> listener = UnixListener::Bind(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(CanDial(path_));
}

TEST_F(UnixListenerTest, RefusesToReplaceAFile) {
  std::ofstream(path_) << "precious";
  const Result<UnixListener> listener = UnixListener::Bind(path_);
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(listener.error().message, HasSubstr(path_));
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(UnixListenerTest, SaysThatTheFolderIsMissing) {
  const Result<UnixListener> listener = UnixListener::Bind(folder_ + "/none/csi.sock");
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, Code::kNotFound);
  EXPECT_THAT(listener.error().message, HasSubstr("/none/csi.sock"));
}

TEST_F(UnixListenerTest, RefusesALongPath) {
  const Result<UnixListener> listener = UnixListener::Bind(folder_ + "/" + std::string(120, 's'));
  ASSERT_FALSE(listener);
  EXPECT_EQ(FileCount(), 0);
}

TEST_F(UnixListenerTest, DestructorRemovesItsSocket) {
  {
    ASSERT_TRUE(UnixListener::Bind(path_));
  }
  EXPECT_EQ(FileCount(), 0);
}

TEST_F(UnixListenerTest, DestructorLeavesASuccessorsSocket) {
  Result<UnixListener> first = UnixListener::Bind(path_);
  ASSERT_TRUE(first);
  const Result<UnixListener> second = UnixListener::Bind(path_);
  ASSERT_TRUE(second);
  EXPECT_EQ(first->PathOwner(), UnixListener::Owner::kOther);
  const ino_t inode = InodeAt(path_);
  first->Close();
  EXPECT_EQ(InodeAt(path_), inode);
  EXPECT_TRUE(CanDial(path_));
}

TEST_F(UnixListenerTest, KnowsThatThePathIsGone) {
  const Result<UnixListener> listener = UnixListener::Bind(path_);
  ASSERT_TRUE(listener);
  ASSERT_EQ(unlink(path_.c_str()), 0);
  EXPECT_EQ(listener->PathOwner(), UnixListener::Owner::kNobody);
}

TEST_F(UnixListenerTest, MovesOwnership) {
  Result<UnixListener> made = UnixListener::Bind(path_);
  ASSERT_TRUE(made);
  UnixListener moved = *std::move(made);
  EXPECT_EQ(moved.PathOwner(), UnixListener::Owner::kThis);
  Result<UnixListener> replacement = UnixListener::Bind(path_);
  ASSERT_TRUE(replacement);
  moved = *std::move(replacement);
  EXPECT_EQ(moved.PathOwner(), UnixListener::Owner::kThis);
  EXPECT_TRUE(CanDial(path_));
}

TEST_F(UnixListenerTest, AdoptsWithoutOwningThePath) {
  const UniqueFd keeper(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path_, address.sun_path);
  ASSERT_EQ(bind(keeper.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(keeper.Get(), 8), 0);
  const ino_t inode = InodeAt(path_);
  {
    Result<UnixListener> adopted =
        UnixListener::Adopt(UniqueFd(fcntl(keeper.Get(), F_DUPFD_CLOEXEC, 0)), path_);
    ASSERT_TRUE(adopted) << adopted.error().message;
    EXPECT_FALSE(adopted->IsOwn());
    EXPECT_EQ(adopted->Path(), path_);
    EXPECT_EQ(adopted->PathOwner(), UnixListener::Owner::kThis);
    EXPECT_TRUE(fcntl(adopted->Fd(), F_GETFL) & O_NONBLOCK);
    UnixListener moved = *std::move(adopted);
    moved.Close();
    EXPECT_EQ(moved.Fd(), -1);
  }
  EXPECT_EQ(InodeAt(path_), inode);
  EXPECT_TRUE(CanDial(path_)) << "the keeper listens on";
}

TEST_F(UnixListenerTest, KnowsThatAnAdoptedPathWasBoundAnew) {
  Result<UnixListener> first = UnixListener::Bind(path_);
  ASSERT_TRUE(first);
  const Result<UnixListener> adopted =
      UnixListener::Adopt(UniqueFd(fcntl(first->Fd(), F_DUPFD_CLOEXEC, 0)), path_);
  ASSERT_TRUE(adopted);
  const Result<UnixListener> second = UnixListener::Bind(path_);
  ASSERT_TRUE(second);
  EXPECT_EQ(adopted->PathOwner(), UnixListener::Owner::kOther);
}

TEST_F(UnixListenerTest, RefusesToAdoptWhatDoesNotListen) {
  EXPECT_FALSE(UnixListener::Adopt({}, path_));
  EXPECT_FALSE(UnixListener::Adopt(UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)), path_));
  UniqueFd socket_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Result<UnixListener> adopted = UnixListener::Adopt(std::move(socket_fd), path_);
  ASSERT_FALSE(adopted);
  EXPECT_EQ(adopted.error().code, Code::kInvalidArgument);
  EXPECT_THAT(adopted.error().message, HasSubstr(path_));
}

}  // namespace
}  // namespace escagent::csi
