#include "fuse/keeper/wire.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
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
  UniqueFd one_;
  UniqueFd other_;
};

TEST_F(Wire, CarriesMessagesAndDescriptors) {
  Message m = NewMessage(Verb::kStore);
  m.sequence = 7;
  std::strcpy(m.volume, "csi-1");
  const std::array<int, 2> fds = {one_.Get(), other_.Get()};
  ASSERT_EQ(Send(one_.Get(), m, fds.data(), 2, 0), 0);
  Received in;
  ASSERT_EQ(Receive(other_.Get(), &in, MSG_DONTWAIT), Arrival::kMessage);
  EXPECT_EQ(std::memcmp(&in.message, &m, sizeof m), 0);
  EXPECT_EQ(in.fd_count, 2U);
  EXPECT_TRUE(in.fds[1]);
  EXPECT_FALSE(in.fds[2]);
  EXPECT_EQ(Receive(other_.Get(), &in, MSG_DONTWAIT), Arrival::kNothing);
  one_.Reset();
  in = Received();
  EXPECT_EQ(Receive(other_.Get(), &in, MSG_DONTWAIT), Arrival::kClosed);
}

TEST_F(Wire, RefusesOtherShapes) {
  for (const std::size_t size : {std::size_t{1}, sizeof(Message) - 1, sizeof(Message) + 1}) {
    const std::string bytes(size, 'x');
    ASSERT_EQ(send(one_.Get(), bytes.data(), size, 0), static_cast<ssize_t>(size));
    Received in;
    EXPECT_EQ(Receive(other_.Get(), &in, MSG_DONTWAIT), Arrival::kMalformed) << size;
  }
  Message m = NewMessage(Verb::kStore);
  std::memset(m.pod_uid, 'a', sizeof m.pod_uid);
  ASSERT_EQ(Send(one_.Get(), m, nullptr, 0, 0), 0);
  Received in;
  EXPECT_EQ(Receive(other_.Get(), &in, MSG_DONTWAIT), Arrival::kMalformed) << "no end";
}

TEST(Names, AreOnePlainComponent) {
  for (const char* const good : {"a", "csi-0.1_B", "...", "..a", "-"}) EXPECT_TRUE(IsName(good));
  for (const char* const bad : {"", ".", "..", "a/b", "/", "a b", "a\n", "\xc3\xa4", "a:b"}) {
    EXPECT_FALSE(IsName(bad)) << bad;
  }
  for (const char* const good : {"a", "a b", ".hidden", "\xc3\xa4"}) EXPECT_TRUE(IsKey(good));
  for (const char* const bad : {"", ".", "..", "..data", "a/b", "..2"}) EXPECT_FALSE(IsKey(bad));
}

TEST(Copy, RefusesWhatDoesNotFit) {
  char field[4] = "x";
  EXPECT_TRUE(Copy(field, sizeof field, "abc"));
  EXPECT_STREQ(field, "abc");
  EXPECT_FALSE(Copy(field, sizeof field, "abcd"));
  EXPECT_STREQ(field, "abc");
}

}  // namespace
}  // namespace escagent::keeper
