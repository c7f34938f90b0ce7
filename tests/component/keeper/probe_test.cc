#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse/keeper/client_probe.h"
#include "tests/component/keeper/keeper_fixture.h"

namespace escagent::keeper {
namespace {

class Probe : public KeeperTest {};

TEST_F(Probe, SaysThatNobodyListens) {
  const auto probed = ProbeKeeper(SocketPath(), kDeadline);
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().code, Code::kUnavailable);
}

TEST_F(Probe, DisturbsNoAgent) {
  StartKeeper();
  bool drained = false;
  const auto agent = NewAgent({.on_drain = [&] { drained = true; }, .on_disconnected = {}});
  for (int i = 0; i < 10; ++i) {
    const auto probed = ProbeKeeper(SocketPath(), kDeadline);
    ASSERT_TRUE(probed) << probed.error().ToString();
    EXPECT_EQ(*probed, ProbedKeeper::kAnswers) << "this is root";
  }
  // Its answer comes after whatever the keeper would have told the agent.
  EXPECT_TRUE(agent->ListVolumes());
  EXPECT_FALSE(drained);
  EXPECT_TRUE(agent->Connected());
}

// As the agent's user it can tell whether the protocols are the same.
TEST_F(Probe, AsAnOrdinaryUser) {
  constexpr uid_t kNobody = 65534;
  StartKeeper({"--agent-uid", std::to_string(kNobody)});
  ASSERT_EQ(chmod(Folder().c_str(), 0755), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (setuid(kNobody) != 0) _exit(100);
    const auto probed = ProbeKeeper(SocketPath(), kDeadline);
    _exit(probed ? static_cast<int>(*probed) : 101);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(ProbedKeeper::kSameProtocol));
}

}  // namespace
}  // namespace escagent::keeper
