#include "agent/doctor/agent_checks.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/status/admin_server.h"
#include "base/version.h"
#include "fuse/keeper/protocol.h"

namespace escagent::doctor {
namespace {

constexpr std::chrono::seconds kPatience{5};

RunningAgent Well() {
  return {.version = std::string(kVersion),
          .node = "node-1",
          .registered = true,
          .keeper_connected = true,
          .unlocked_bytes = 0};
}

class AgentChecksTest : public ::testing::Test {
 protected:
  AgentChecksTest() {
    std::string pattern = ::testing::TempDir() + "/doctor.XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
  }
  ~AgentChecksTest() override { std::filesystem::remove_all(folder_); }

  UniqueFd Listen(const std::string& name, int type) const {
    UniqueFd listener;
    EXPECT_EQ(keeper::ListenAt((folder_ + name).c_str(), type, getuid(), &listener), 0);
    return listener;
  }

  std::string folder_;
};

TEST_F(AgentChecksTest, WhatARunningAgentSays) {
  const std::string socket = folder_ + "/admin.sock";
  const auto server = status::AdminServer::Start(socket, [](std::string_view) {
    return std::string(R"({"agent": {"version": "1", "node": "n", "registered": true,
                           "keeperConnected": false, "secretMemory": {"unlockedBytes": 4096}}})");
  });
  ASSERT_TRUE(server) << server.error().ToString();
  const Result<RunningAgent> agent = AskRunningAgent(socket, kPatience);
  ASSERT_TRUE(agent) << agent.error().ToString();
  EXPECT_EQ(agent->version, "1");
  EXPECT_EQ(agent->node, "n");
  EXPECT_TRUE(agent->registered);
  EXPECT_EQ(agent->keeper_connected, false);
  EXPECT_EQ(agent->unlocked_bytes, 4096);
}

TEST_F(AgentChecksTest, Agent) {
  EXPECT_EQ(CheckAgent(Well()).at(0).verdict, Verdict::kOk);
  const auto nobody = AskRunningAgent(folder_ + "/nobody.sock", kPatience);
  EXPECT_EQ(CheckAgent(nobody).at(0).verdict, Verdict::kFailed);
  EXPECT_EQ(CheckAgent(PermissionDenied("not for you")).at(0).verdict, Verdict::kSkipped);
  RunningAgent other = Well();
  other.version = "0.0.1";
  EXPECT_EQ(CheckAgent(other).at(0).verdict, Verdict::kWarning);
  RunningAgent swapped = Well();
  swapped.unlocked_bytes = 65536;
  ASSERT_EQ(CheckAgent(swapped).size(), 2U);
  EXPECT_EQ(CheckAgent(swapped).at(1).verdict, Verdict::kWarning);
}

TEST_F(AgentChecksTest, NoKeeper) {
  EXPECT_EQ(CheckKeeper("", Well(), kPatience).verdict, Verdict::kSkipped);
  const Finding nobody = CheckKeeper(folder_ + "/keeper.sock", Well(), kPatience);
  EXPECT_EQ(nobody.verdict, Verdict::kFailed);
  EXPECT_NE(nobody.text.find("nobody listens"), std::string::npos) << nobody.text;
}

TEST_F(AgentChecksTest, AKeeperThatHangsIsNotWaitedFor) {
  const UniqueFd listener = Listen("/keeper.sock", SOCK_SEQPACKET);
  const Finding hangs =
      CheckKeeper(folder_ + "/keeper.sock", Well(), std::chrono::milliseconds(10));
  EXPECT_EQ(hangs.verdict, Verdict::kFailed);
  EXPECT_NE(hangs.text.find("no answer within 10 ms"), std::string::npos) << hangs.text;
}

TEST_F(AgentChecksTest, Registration) {
  const std::string registration = folder_ + "/reg.sock";
  const std::string csi = folder_ + "/csi.sock";
  EXPECT_EQ(CheckRegistration(Well(), csi, "").at(0).verdict, Verdict::kSkipped);
  Findings missing = CheckRegistration(Well(), csi, registration);
  EXPECT_EQ(missing.at(0).verdict, Verdict::kOk);
  EXPECT_EQ(missing.at(1).verdict, Verdict::kFailed);
  EXPECT_EQ(missing.at(2).verdict, Verdict::kFailed);
  const UniqueFd first = Listen("/csi.sock", SOCK_STREAM);
  std::ofstream(registration) << "no socket";
  Findings found = CheckRegistration(Well(), csi, registration);
  EXPECT_EQ(found.at(1).verdict, Verdict::kOk);
  EXPECT_EQ(found.at(2).text, registration + " is no socket");
  EXPECT_EQ(CheckRegistration(Well(), folder_ + "/none/csi.sock", registration).at(1).verdict,
            Verdict::kSkipped)
      << "this container does not see the folder";
  RunningAgent alone = Well();
  alone.registered = false;
  EXPECT_EQ(CheckRegistration(alone, csi, registration).at(0).verdict, Verdict::kFailed);
  EXPECT_EQ(CheckRegistration(Unavailable("away"), csi, registration).at(0).verdict,
            Verdict::kSkipped);
}

}  // namespace
}  // namespace escagent::doctor
