// Registration as kubelet does it, and the life of the two sockets.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "csi/proto/pluginregistration.grpc.pb.h"
#include "tests/component/csi/harness.h"

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RegistrationTest : public CsiHarness {
 protected:
  grpc::Status Notify(bool registered, const std::string& error) const {
    const auto stub = pluginregistration::Registration::NewStub(
        grpc::CreateChannel("unix:" + RegistrationSocket(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(5));
    pluginregistration::RegistrationStatus request;
    request.set_plugin_registered(registered);
    request.set_error(error);
    pluginregistration::RegistrationStatusResponse response;
    return stub->NotifyRegistrationStatus(&context, request, &response);
  }

  static void LeaveStaleSocket(const std::string& path) {
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    ASSERT_EQ(bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
};

TEST_F(RegistrationTest, KubeletRegistersTheDriver) {
  Start();
  EXPECT_FALSE(server_->IsRegistered());
  EXPECT_FALSE(server_->Registration().last_get_info);
  const auto driver = MakeKubelet().Register(RegistryFolder(), seconds(10));
  ASSERT_TRUE(driver) << driver.error().message;
  EXPECT_EQ(driver->name, "csi.esc-agent.io");
  EXPECT_EQ(driver->endpoint, CsiSocket());
  EXPECT_EQ(driver->node_id, "node-a");
  EXPECT_THAT(driver->supported_versions, ElementsAre("1.0.0"));
  EXPECT_TRUE(server_->IsRegistered());
  EXPECT_EQ(server_->Registration().last_get_info, clock_.WallNow());
}

TEST_F(RegistrationTest, KubeletThatWaitsSeesTheSocketAppear) {
  Result<RegisteredDriver> driver;
  std::jthread kubelet([&] { driver = MakeKubelet().Register(RegistryFolder(), seconds(20)); });
  Start();
  kubelet.join();
  ASSERT_TRUE(driver) << driver.error().message;
  // Whoever sees the registration socket can use the CSI socket.
  EXPECT_EQ(driver->node_id, "node-a");
}

TEST_F(RegistrationTest, RefusalIsReported) {
  std::atomic<int> calls = 0;
  std::string reason;
  csi::ServerOptions options = Options();
  options.on_rejected = [&](const std::string& error) {
    reason = error;
    ++calls;
  };
  server_ = StartServer(options);
  ASSERT_TRUE(Notify(false, "driver name is taken").ok());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(reason, "driver name is taken");
  EXPECT_FALSE(server_->IsRegistered());
  EXPECT_EQ(server_->Registration().error, "driver name is taken");

  ASSERT_TRUE(Notify(true, "").ok());
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(server_->IsRegistered());
  EXPECT_EQ(server_->Registration().error, "");
}

TEST_F(RegistrationTest, SocketsAreForTheOwnerOnly) {
  Start();
  for (const std::string& path : {CsiSocket(), RegistrationSocket()}) {
    struct stat info{};
    ASSERT_EQ(lstat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U) << path;
  }
}

TEST_F(RegistrationTest, ReplacesStaleSockets) {
  LeaveStaleSocket(CsiSocket());
  LeaveStaleSocket(RegistrationSocket());
  Start();
  EXPECT_TRUE(MakeKubelet().Register(RegistryFolder(), seconds(10)));
}

TEST_F(RegistrationTest, StopRemovesItsSockets) {
  Start();
  server_->Stop(seconds(1));
  EXPECT_EQ(InodeAt(CsiSocket()), 0U);
  EXPECT_EQ(InodeAt(RegistrationSocket()), 0U);
}

TEST_F(RegistrationTest, StopLeavesTheSocketsOfASuccessor) {
  Start();
  const auto successor = StartServer(Options());
  const ino_t csi = InodeAt(CsiSocket());
  const ino_t registration = InodeAt(RegistrationSocket());
  server_->Stop(seconds(1));
  EXPECT_EQ(InodeAt(CsiSocket()), csi);
  EXPECT_EQ(InodeAt(RegistrationSocket()), registration);
  EXPECT_TRUE(MakeKubelet().Register(RegistryFolder(), seconds(10)));
  EXPECT_TRUE(successor->IsRegistered());
  EXPECT_FALSE(server_->IsRegistered());
}

TEST_F(RegistrationTest, AFailedStartLeavesNoSocket) {
  csi::ServerOptions options = Options();
  options.registration_socket = folder_ + "/missing/reg.sock";
  const auto server = csi::Server::Start(options, volumes_, clock_);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::kNotFound);
  EXPECT_THAT(server.error().message, HasSubstr("/missing/reg.sock"));
  EXPECT_EQ(InodeAt(CsiSocket()), 0U);
}

TEST_F(RegistrationTest, RefusesBadOptions) {
  csi::ServerOptions options = Options();
  options.csi_endpoint = "tcp://127.0.0.1:1";
  const auto server = csi::Server::Start(options, volumes_, clock_);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::kInvalidArgument);
}

TEST_F(RegistrationTest, WorksWithoutRegistration) {
  csi::ServerOptions options = Options();
  options.registration_socket.clear();
  server_ = StartServer(options);
  EXPECT_TRUE(server_->SelfProbe(seconds(5)));
  EXPECT_TRUE(std::filesystem::is_empty(RegistryFolder()));
}

TEST_F(RegistrationTest, ASocketThatKubeletMissedIsMadeAgain) {
  Start();
  const ino_t before = InodeAt(RegistrationSocket());
  clock_.Advance(seconds(29));
  EXPECT_TRUE(server_->SelfProbe(seconds(5)));
  EXPECT_EQ(InodeAt(RegistrationSocket()), before);
  clock_.Advance(seconds(1));
  EXPECT_TRUE(Eventually([&] {
    const ino_t now = InodeAt(RegistrationSocket());
    return now != 0 && now != before;
  }));
  EXPECT_TRUE(MakeKubelet().Register(RegistryFolder(), seconds(10)));
}

TEST_F(RegistrationTest, ASocketThatKubeletCalledStays) {
  csi::ServerOptions options = Options();
  options.registration_patience = milliseconds(20);
  server_ = StartServer(options);
  ASSERT_TRUE(MakeKubelet().Register(RegistryFolder(), seconds(10)));
  const ino_t before = InodeAt(RegistrationSocket());
  clock_.Advance(seconds(60));
  // The accept thread looks at the socket before it takes the next connection.
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(server_->SelfProbe(seconds(5)));
  EXPECT_EQ(InodeAt(RegistrationSocket()), before);
}

TEST_F(RegistrationTest, ASocketThatWasRemovedIsMadeAgain) {
  csi::ServerOptions options = Options();
  options.registration_patience = milliseconds(20);
  server_ = StartServer(options);
  ASSERT_TRUE(MakeKubelet().Register(RegistryFolder(), seconds(10)));
  ASSERT_EQ(unlink(RegistrationSocket().c_str()), 0);
  clock_.Advance(seconds(60));
  EXPECT_TRUE(Eventually([&] { return InodeAt(RegistrationSocket()) != 0; }));
  EXPECT_TRUE(MakeKubelet().Register(RegistryFolder(), seconds(10)));
}

// Tells a test when the accept thread has looked at the time, which it does once a round.
class CountingClock final : public Clock {
 public:
  explicit CountingClock(FakeClock& clock) : clock_(clock) {}

  TimePoint Now() const override {
    // Read the time first: whoever sees the count knows that a later Now() sees a later time.
    const TimePoint now = clock_.Now();
    ++calls_;
    return now;
  }
  WallTime WallNow() const override { return clock_.WallNow(); }
  bool SleepUntil(TimePoint deadline, std::stop_token stop) override {
    return clock_.SleepUntil(deadline, std::move(stop));
  }
  int Calls() const { return calls_; }

 private:
  FakeClock& clock_;
  mutable std::atomic<int> calls_ = 0;
};

TEST_F(RegistrationTest, TheWatchLeavesASuccessorsSocket) {
  CountingClock clock(clock_);
  csi::ServerOptions options = Options();
  options.registration_patience = milliseconds(20);
  auto old = csi::Server::Start(options, volumes_, clock);
  ASSERT_TRUE(old);
  const auto successor = StartServer(Options());
  ASSERT_TRUE(MakeKubelet().Register(RegistryFolder(), seconds(10)));
  const ino_t registration = InodeAt(RegistrationSocket());
  clock_.Advance(seconds(60));
  const int before = clock.Calls();
  // A round that began after the time moved, and the beginning of the one after it.
  ASSERT_TRUE(Eventually([&] { return clock.Calls() >= before + 4; }));
  EXPECT_EQ(InodeAt(RegistrationSocket()), registration);
}

}  // namespace
}  // namespace escagent::testing
