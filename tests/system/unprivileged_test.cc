// The agent as nobody: no capabilities, a filter for system calls, a root that is read-only.

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>

#include "agent/status/admin_protocol.h"
#include "tests/system/storm.h"
#include "tests/system/storm_value.h"

namespace escagent::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uid_t kNobody = 65534;

// Runs the rest of its arguments as nobody, where nothing but $0 can be written. In a chroot / is
// no mount and stays as it is.
constexpr const char* kAsNobody =
    "mount --bind \"$0\" \"$0\"\n"
    "mount -o remount,bind,ro / 2>/dev/null\n"
    "exec setpriv --reuid 65534 --regid 65534 --clear-groups --pdeathsig keep \"$@\"";

class UnprivilegedTest : public StormTest {
 protected:
  void SetUp() override {
    fs::permissions(bed_.folder(), fs::perms(0755));
    const std::string run = fs::path(bed_.admin_socket()).parent_path();
    ASSERT_EQ(chown(run.c_str(), kNobody, kNobody), 0);
    // The build's folder may be closed to nobody.
    agent_program_ = bed_.folder() + "/esc-agent";
    fs::copy_file(bed_.program(), agent_program_);
    agent_wrapper_ = {"unshare", "--mount", "--propagation", "private", "sh", "-c", kAsNobody, run};
  }

  std::string AgentStatus() const {
    return ReadAll("/proc/" + std::to_string(agent_->pid()) + "/status");
  }

  bool WaitUntil(const std::string& path, int count) {
    return WaitFor(
        [&] {
          (void)status::AskAgent(bed_.admin_socket(), "refresh", seconds(1));
          return StormCount("alpha", Read(path)) == count;
        },
        seconds(20));
  }
};

TEST_F(UnprivilegedTest, NoReadFailsWhileAnAgentWithoutAnyRightCrashes) {
  constexpr int kCrashes = Times(40);
  StartNode({"--agent-uid", "65534"});
  ASSERT_FALSE(HasFatalFailure());
  const std::string status = AgentStatus();
  for (const char* line :
       {"\nUid:\t65534\t65534\t65534\t65534\n", "\nGid:\t65534\t65534\t65534\t65534\n",
        "\nCapInh:\t0000000000000000\n", "\nCapPrm:\t0000000000000000\n",
        "\nCapEff:\t0000000000000000\n", "\nCapAmb:\t0000000000000000\n", "\nNoNewPrivs:\t1\n",
        "\nSeccomp:\t2\n"}) {
    EXPECT_NE(status.find(line), std::string::npos) << "not " << line << "in\n" << status;
  }
  const bool read_only =
      ReadAll("/proc/" + std::to_string(agent_->pid()) + "/mountinfo").find(" / / ro") !=
      std::string::npos;
  StartReaders();
  StartRotations();
  CrashAgents(kCrashes, milliseconds(400));
  ExpectNothingFailed(kCrashes, "crashes of an agent without privileges");
  std::printf("    its root was %s\n", read_only ? "read-only" : "writable (a chroot)");
}

TEST_F(UnprivilegedTest, ATmpfsVolumeIsReadableWithoutAnAgentAndRotatedByTheNext) {
  StartNode({"--agent-uid", "65534"});
  ASSERT_FALSE(HasFatalFailure());
  auto attributes = volume_.attributes;
  attributes["backend"] = "tmpfs";
  const InlineVolume volume = bed_.Volume("tmpfs", attributes);
  const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), volume);
  ASSERT_TRUE(target) << target.error().ToString();
  const std::string alpha = *target + "/alpha";
  EXPECT_EQ(StormCount("alpha", Read(alpha)), count_);
  bed_.WriteEnvironment("acme/storm/dev", StormDefinition(++count_));
  EXPECT_TRUE(WaitUntil(alpha, count_));

  agent_->Signal(SIGKILL);
  ASSERT_EQ(agent_->Wait(seconds(10)), 128 + SIGKILL);
  EXPECT_EQ(StormCount("alpha", Read(alpha)), count_) << "with no agent";
  bed_.WriteEnvironment("acme/storm/dev", StormDefinition(++count_));
  StartAgent();
  EXPECT_TRUE(WaitUntil(alpha, count_));
  const Status gone = bed_.kubelet().Unpublish(bed_.endpoint(), volume);
  EXPECT_TRUE(gone) << gone.error().ToString();
  EXPECT_EQ(LeftBehind(volume), std::vector<std::string>());
}

}  // namespace
}  // namespace escagent::testing
