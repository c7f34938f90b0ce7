// Listening sockets that somebody else keeps: calls wait there, servers come and go.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "csi/first_calls.h"
#include "tests/component/csi/harness.h"

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

UniqueFd ListenAt(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  unlink(path.c_str());
  if (bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd.Get(), 128) != 0) {
    ADD_FAILURE() << "listen on " << path;
  }
  return fd;
}

UniqueFd Duplicate(const UniqueFd& fd) { return UniqueFd(fcntl(fd.Get(), F_DUPFD_CLOEXEC, 0)); }

class AdoptTest : public CsiHarness {
 protected:
  AdoptTest() { BindAnew(); }

  // What the keeper does when it starts.
  void BindAnew() {
    csi_ = ListenAt(CsiSocket());
    registration_ = ListenAt(RegistrationSocket());
  }

  std::unique_ptr<csi::Server> StartOn(csi::AdoptedSockets sockets) {
    auto server = csi::Server::Start(Options(), volumes_, clock_, std::move(sockets));
    if (!server) {
      ADD_FAILURE() << server.error().ToString();
      return nullptr;
    }
    return *std::move(server);
  }
  std::unique_ptr<csi::Server> StartOnBoth() {
    return StartOn({.csi = Duplicate(csi_), .registration = Duplicate(registration_)});
  }

  v1::NodePublishVolumeRequest Request(int number) const {
    v1::NodePublishVolumeRequest request = PublishRequest();
    request.set_volume_id("csi-" + std::to_string(number));
    request.set_target_path(Target() + std::to_string(number));
    return request;
  }

  grpc::Status Probe() const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(20));
    v1::ProbeResponse response;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::Identity::NewStub(grpc::CreateCustomChannel("unix:" + CsiSocket(),
                                                           grpc::InsecureChannelCredentials(),
                                                           arguments))
        ->Probe(&context, {}, &response);
  }

  // The keeper's.
  UniqueFd csi_;
  UniqueFd registration_;
};

TEST_F(AdoptTest, ACallMadeWhileNobodyAcceptsIsAnswered) {
  std::atomic<bool> answered = false;
  grpc::Status status;
  std::jthread caller([&] {
    status = Publish(PublishRequest());
    answered = true;
  });
  // The call is in the backlog: poll sees a connection to accept.
  ASSERT_TRUE(Eventually([&] {
    pollfd waiting{.fd = csi_.Get(), .events = POLLIN, .revents = 0};
    return poll(&waiting, 1, 0) == 1;
  }));
  EXPECT_FALSE(answered);
  server_ = StartOnBoth();
  caller.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(volumes_.VolumeCount(), 1U);
}

TEST_F(AdoptTest, ServersThatFollowOneAnotherFailNoCall) {
  server_ = StartOnBoth();
  std::atomic<bool> enough = false;
  std::atomic<int> calls = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([this, i, &enough, &calls] {
      while (!enough) {
        const grpc::Status status = i % 2 == 0 ? Publish(Request(i)) : Probe();
        EXPECT_TRUE(status.ok()) << status.error_code() << " " << status.error_message();
        ++calls;
      }
    });
  }
  for (int round = 0; round < 20; ++round) {
    const int before = calls;
    EXPECT_TRUE(Eventually([&] { return calls >= before + 8; }));
    server_->StopAccepting();
    auto next = StartOnBoth();
    server_->Stop(seconds(20));
    server_ = std::move(next);
  }
  enough = true;
}

TEST_F(AdoptTest, CallsUnderWayGoOnWhileTheNextServerAccepts) {
  server_ = StartOnBoth();
  volumes_.HoldPublishes(true);
  grpc::Status first;
  grpc::Status second;
  std::jthread caller([&] { first = Publish(Request(1)); });
  ASSERT_TRUE(volumes_.AwaitPublishing(1));
  server_->StopAccepting();
  std::jthread late([&] { second = Publish(Request(2)); });
  auto next = StartOnBoth();
  ASSERT_TRUE(volumes_.AwaitPublishing(2));
  volumes_.HoldPublishes(false);
  server_->Stop(seconds(20));
  caller.join();
  late.join();
  EXPECT_TRUE(first.ok()) << first.error_message();
  EXPECT_TRUE(second.ok()) << second.error_message();
}

TEST_F(AdoptTest, ThePathsStayWhenTheServerStops) {
  const ino_t csi = InodeAt(CsiSocket());
  const ino_t registration = InodeAt(RegistrationSocket());
  ASSERT_NE(csi, 0U);
  server_ = StartOnBoth();
  EXPECT_TRUE(server_->SelfProbe(seconds(20)));
  server_->Stop(seconds(1));
  server_.reset();
  EXPECT_EQ(InodeAt(CsiSocket()), csi);
  EXPECT_EQ(InodeAt(RegistrationSocket()), registration);
}

// Calls `body` on a thread that may not dial the CSI socket, as an agent that is not root.
void WithoutTheRightToDial(const std::string& socket, const std::function<void()>& body) {
  ASSERT_EQ(chmod(socket.c_str(), 0), 0);
  std::jthread thread([&] {
    // The system call, unlike the C library's function, is about this thread only.
    if (getuid() == 0) {
      ASSERT_EQ(syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    }
    body();
  });
}

TEST_F(AdoptTest, SelfProbeNeedsNoRightToDial) {
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  server_ = StartOnBoth();
  WithoutTheRightToDial(CsiSocket(), [&] {
    const Status status = server_->SelfProbe(seconds(20));
    EXPECT_TRUE(status) << status.error().ToString();
    volumes_.FailHealth(Error{Code::kFailedPrecondition, "open /dev/fuse: no such file", {}});
    EXPECT_FALSE(server_->SelfProbe(seconds(20)));
    server_->StopAccepting();
    EXPECT_FALSE(server_->SelfProbe(seconds(20))) << "whoever accepts is probed, too";
  });
}

TEST_F(AdoptTest, ARegistrationSocketThatKubeletMissedIsNotMadeAgain) {
  const ino_t registration = InodeAt(RegistrationSocket());
  server_ = StartOnBoth();
  clock_.Advance(seconds(600));
  // The accept thread looks at the socket before it takes the next connection.
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(server_->SelfProbe(seconds(20)));
  EXPECT_EQ(InodeAt(RegistrationSocket()), registration);
  ASSERT_EQ(unlink(RegistrationSocket().c_str()), 0);
  clock_.Advance(seconds(600));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(server_->SelfProbe(seconds(20)));
  EXPECT_EQ(InodeAt(RegistrationSocket()), 0U);
}

TEST_F(AdoptTest, TheRegistrationSocketMayComeLater) {
  unlink(RegistrationSocket().c_str());
  server_ = StartOn({.csi = Duplicate(csi_), .registration = {}});
  EXPECT_EQ(InodeAt(RegistrationSocket()), 0U) << "the server made one of its own";
  EXPECT_FALSE(server_->IsRegistered());
  registration_ = ListenAt(RegistrationSocket());
  server_->AdoptSockets({}, Duplicate(registration_));
  const auto driver = MakeKubelet().Register(RegistryFolder(), seconds(20));
  ASSERT_TRUE(driver) << driver.error().message;
  EXPECT_EQ(driver->node_id, "node-a");
  EXPECT_TRUE(server_->IsRegistered());
}

TEST_F(AdoptTest, ADriverThatAnEarlierServerRegisteredIsRegistered) {
  server_ = StartOnBoth();
  EXPECT_TRUE(server_->IsRegistered());
  EXPECT_FALSE(server_->Registration().last_get_info);
}

TEST_F(AdoptTest, ANewKeepersSocketsAreTakenInPlaceOfTheOldOnes) {
  server_ = StartOnBoth();
  ASSERT_TRUE(server_->SelfProbe(seconds(20)));
  BindAnew();
  const ino_t csi = InodeAt(CsiSocket());
  grpc::Status status;
  std::jthread caller([&] { status = Publish(PublishRequest()); });
  server_->AdoptSockets(Duplicate(csi_), Duplicate(registration_));
  caller.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(server_->SelfProbe(seconds(20)));
  EXPECT_TRUE(MakeKubelet().Register(RegistryFolder(), seconds(20)));
  EXPECT_EQ(InodeAt(CsiSocket()), csi);
}

TEST_F(AdoptTest, AdoptingWhileCallsComeFailsNone) {
  server_ = StartOnBoth();
  std::atomic<bool> enough = false;
  std::atomic<int> calls = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      while (!enough) {
        const grpc::Status status = Probe();
        EXPECT_TRUE(status.ok()) << status.error_code() << " " << status.error_message();
        ++calls;
      }
    });
  }
  for (int round = 0; round < 50; ++round) {
    const int before = calls;
    // What waits in the old socket's backlog is not lost with it.
    const UniqueFd old = std::exchange(csi_, ListenAt(folder_ + "/plugin/new.sock"));
    std::filesystem::rename(folder_ + "/plugin/new.sock", CsiSocket());
    server_->AdoptSockets(Duplicate(csi_), {});
    EXPECT_TRUE(Eventually([&] { return calls >= before + 4; }));
  }
  enough = true;
}

TEST_F(AdoptTest, OwnSocketsGiveWayToTheKeepers) {
  Start();
  EXPECT_TRUE(server_->SelfProbe(seconds(20)));
  BindAnew();
  server_->AdoptSockets(Duplicate(csi_), Duplicate(registration_));
  EXPECT_TRUE(server_->SelfProbe(seconds(20)));
  EXPECT_TRUE(MakeKubelet().Register(RegistryFolder(), seconds(20)));
  server_->Stop(seconds(1));
  EXPECT_NE(InodeAt(CsiSocket()), 0U);
  EXPECT_NE(InodeAt(RegistrationSocket()), 0U);
}

TEST_F(AdoptTest, WhatDoesNotListenIsRefused) {
  UniqueFd not_listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto server = csi::Server::Start(Options(), volumes_, clock_,
                                         {.csi = Duplicate(not_listening), .registration = {}});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::kInvalidArgument);
  EXPECT_THAT(server.error().message, HasSubstr(CsiSocket()));

  server_ = StartOnBoth();
  server_->AdoptSockets(Duplicate(not_listening), UniqueFd(open("/dev/null", O_RDONLY)));
  EXPECT_TRUE(server_->SelfProbe(seconds(20)));
}

TEST_F(AdoptTest, AdoptingAfterStopDoesNothing) {
  server_ = StartOnBoth();
  server_->StopAccepting();
  server_->StopAccepting();
  server_->AdoptSockets(Duplicate(csi_), Duplicate(registration_));
  server_->Stop(seconds(1));
  server_->AdoptSockets(Duplicate(csi_), Duplicate(registration_));
  EXPECT_FALSE(server_->SelfProbe(milliseconds(50)));
}

TEST_F(AdoptTest, StopDoesNotWaitForConnectionsThatHaveMadeTheirCall) {
  // A machine that stands still for a moment may spoil a round, but not each.
  milliseconds fastest = milliseconds::max();
  for (int round = 0; round < 5; ++round) {
    server_ = StartOnBoth();
    ASSERT_TRUE(Publish(PublishRequest()).ok());
    const auto before = std::chrono::steady_clock::now();
    server_->Stop(seconds(20));
    fastest = std::min(fastest, std::chrono::duration_cast<milliseconds>(
                                    std::chrono::steady_clock::now() - before));
  }
  EXPECT_LT(fastest, csi::FirstCalls::kPatience);
}

}  // namespace
}  // namespace escagent::testing
