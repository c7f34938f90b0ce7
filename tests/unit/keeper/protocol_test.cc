#include "fuse/keeper/protocol.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace escagent::keeper {
namespace {

class Wire : public ::testing::Test {
 protected:
  Wire() {
    std::array<int, 2> fds = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()), 0);
    one_.Reset(fds[0]);
    other_.Reset(fds[1]);
  }
  int ReceiveAtOther() { return Receive(other_.Get(), &in_, fds_.data(), MSG_DONTWAIT); }
  UniqueFd one_;
  UniqueFd other_;
  Message in_ = {};
  std::array<UniqueFd, kMaxFds> fds_;
};

ino_t InodeOf(const UniqueFd& fd) {
  struct stat found = {};
  EXPECT_EQ(fstat(fd.Get(), &found), 0);
  return found.st_ino;
}

TEST_F(Wire, CarriesMessages) {
  Message m = NewMessage(Verb::kStore);
  m.sequence = 7;
  std::strcpy(m.ids.volume, "csi-1");
  ASSERT_EQ(Send(one_.Get(), {m, {}}, 0), 0);
  ASSERT_EQ(ReceiveAtOther(), 0);
  EXPECT_EQ(std::memcmp(&in_, &m, sizeof m), 0);
  EXPECT_EQ(ReceiveAtOther(), EAGAIN);
  one_.Reset();
  EXPECT_EQ(ReceiveAtOther(), ECONNRESET);
}

TEST_F(Wire, DescriptorsKeepTheirPlaces) {
  const UniqueFd memfd = NewMemfd();
  const UniqueFd none;
  // All of them, none, and some with holes.
  for (unsigned mask = 0; mask < 16; ++mask) {
    Packet packet = {NewMessage(Verb::kList), {}};
    const std::array<const UniqueFd*, kMaxFds> all = {&one_, &memfd, &other_, &memfd};
    for (unsigned i = 0; i < kMaxFds; ++i) {
      packet.fds[i] = (mask & (1U << i)) != 0 ? all[i] : (i % 2 == 0 ? &none : nullptr);
    }
    packet.message.flags = kTmpfs | 0xfU;
    ASSERT_EQ(Send(one_.Get(), packet, 0), 0);
    fds_ = {};
    ASSERT_EQ(ReceiveAtOther(), 0);
    EXPECT_EQ(in_.flags, kTmpfs | mask);
    for (unsigned i = 0; i < kMaxFds; ++i) {
      ASSERT_EQ(static_cast<bool>(fds_[i]), (mask & (1U << i)) != 0) << mask << " " << i;
      if (fds_[i]) {
        EXPECT_EQ(InodeOf(fds_[i]), InodeOf(*all[i])) << mask << " " << i;
      }
    }
  }
}

TEST_F(Wire, RefusesOtherShapes) {
  for (const std::size_t size : {std::size_t{1}, sizeof(Message) - 1, sizeof(Message) + 1}) {
    const std::string bytes(size, 'x');
    ASSERT_EQ(send(one_.Get(), bytes.data(), size, 0), static_cast<ssize_t>(size));
    EXPECT_EQ(ReceiveAtOther(), EPROTO) << size;
  }
  for (int field = 0; field < 4; ++field) {
    Message m = NewMessage(Verb::kStore);
    if (field == 0) std::memset(m.ids.volume, 'a', sizeof m.ids.volume);
    if (field == 1) std::memset(m.ids.pod_uid, 'a', sizeof m.ids.pod_uid);
    if (field == 2) std::memset(m.ids.volume_name, 'a', sizeof m.ids.volume_name);
    if (field == 3) std::memset(m.text, 'a', sizeof m.text);
    ASSERT_EQ(Send(one_.Get(), {m, {}}, 0), 0);
    EXPECT_EQ(ReceiveAtOther(), EPROTO) << "no end in " << field;
  }
  ASSERT_EQ(Send(one_.Get(), {NewMessage(Verb::kStore), {&one_}}, 0), 0);
  EXPECT_EQ(Receive(other_.Get(), &in_, nullptr, 0), EPROTO) << "descriptors unasked";
}

TEST(Names, AreOnePlainComponent) {
  for (const char* const good : {"a", "csi-0.1_B", "a..", "-"}) EXPECT_TRUE(IsName(good));
  for (const char* const bad :
       {"", ".", "..", ".a", "..a", "a/b", "/", "a b", "a\n", "\xc3\xa4", "a:b"}) {
    EXPECT_FALSE(IsName(bad)) << bad;
  }
}

class Listening : public ::testing::Test {
 protected:
  Listening() : folder_(::testing::TempDir() + "/wire.XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~Listening() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(Listening, ReplacesWhatWasThereForItsOwnerOnly) {
  const std::string path = folder_ + "/socket";
  std::ofstream(path) << "x";
  UniqueFd listener;
  ASSERT_EQ(ListenAt(path.c_str(), SOCK_SEQPACKET, getuid(), &listener), 0);
  ASSERT_TRUE(listener);
  struct stat found = {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_TRUE(S_ISSOCK(found.st_mode));
  EXPECT_EQ(found.st_mode & 07777, 0600U);
  const UniqueFd connection = ConnectTo(path.c_str());
  ASSERT_TRUE(connection);
  EXPECT_EQ(PeerOf(connection.Get()).uid, getuid());
  EXPECT_EQ(PeerOf(connection.Get()).pid, getpid());
}

TEST_F(Listening, SaysWhyNot) {
  EXPECT_FALSE(ConnectTo((folder_ + "/absent").c_str()));
  EXPECT_EQ(errno, ENOENT);
  const std::string longest(200, 'x');
  EXPECT_FALSE(ConnectTo(longest.c_str()));
  UniqueFd listener;
  EXPECT_NE(ListenAt(longest.c_str(), SOCK_STREAM, getuid(), &listener), 0);
  EXPECT_EQ(ListenAt(nullptr, SOCK_STREAM, getuid(), &listener), 0);
  EXPECT_FALSE(listener);
  EXPECT_EQ(PeerOf(-1).uid, static_cast<uid_t>(-1));
}

}  // namespace
}  // namespace escagent::keeper
