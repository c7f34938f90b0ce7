#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "tests/component/keeper/keeper_fixture.h"

namespace escagent::keeper {
namespace {

using ::escagent::testing::WaitFor;

class Handover : public KeeperTest {};

std::string BytesOf(const UniqueFd& fd) {
  std::string bytes(4096, '\0');
  const ssize_t size = pread(fd.Get(), bytes.data(), bytes.size(), 0);
  bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return bytes;
}

UniqueFd ConnectStream(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fd.Reset();
  }
  return fd;
}

TEST_F(Handover, ASuccessorGetsEverythingBack) {
  StartKeeper();
  auto agent = NewAgent();
  EXPECT_FALSE(agent->PredecessorDied());
  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(agent->Mount(target, 0755, ""));
  ASSERT_TRUE(agent->Store(target.volume, 7, *KeeperClient::SealedMemfd("old")));
  ASSERT_TRUE(agent->Store(target.volume, 8, *KeeperClient::SealedMemfd("state")));
  const UniqueFd journal = *agent->GetJournal();
  ASSERT_EQ(pwrite(journal.Get(), "request", 7, 0), 7);
  agent.reset();

  agent = NewAgent();
  EXPECT_TRUE(agent->PredecessorDied());
  auto volumes = agent->ListVolumes();
  ASSERT_TRUE(volumes);
  ASSERT_EQ(volumes->size(), 1U);
  EXPECT_EQ((*volumes)[0].target, target);
  EXPECT_EQ((*volumes)[0].generation, 8U);
  EXPECT_EQ((*volumes)[0].device_number, DeviceAt(MountOf(target)));
  EXPECT_EQ(BytesOf((*volumes)[0].state), "state");
  EXPECT_FALSE((*volumes)[0].aborted);
  const RawFuse server(std::move((*volumes)[0].device), "value");
  EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "value");
  EXPECT_EQ(BytesOf(*agent->GetJournal()).substr(0, 7), "request");
  struct stat size = {};
  ASSERT_EQ(fstat(journal.Get(), &size), 0);
  EXPECT_EQ(size.st_size, kJournalSlots * kJournalSlotSize);
  EXPECT_NE(ftruncate(journal.Get(), 1), 0) << "sealed";
}

TEST_F(Handover, ADrainedPredecessorDidNotDie) {
  StartKeeper();
  auto first = NewAgent();
  ASSERT_TRUE(first->Drained());
  first.reset();
  EXPECT_FALSE(NewAgent()->PredecessorDied());
}

TEST_F(Handover, ThePredecessorIsAskedToDrainFirst) {
  StartKeeper();
  std::atomic<bool> asked = false;
  auto first = NewAgent({.on_drain = [&] { asked = true; }, .on_disconnected = nullptr});
  std::unique_ptr<KeeperClient> second;
  std::jthread successor([&] { second = NewAgent(); });
  EXPECT_TRUE(WaitFor([&] { return asked.load(); }, kDeadline));
  // It is the agent until it goes.
  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(first->Mount(target, 0755, ""));
  ASSERT_TRUE(first->Drained());
  first.reset();
  successor.join();
  EXPECT_FALSE(second->PredecessorDied());
  EXPECT_EQ(second->ListVolumes()->size(), 1U);
}

TEST_F(Handover, APredecessorThatDoesNotDrainIsKilled) {
  StartKeeper();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const UniqueFd agent = RawAgent();
    testing::WriteAll(Folder() + "/there", "x");
    while (true) pause();
  }
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(Folder() + "/there"); }, kDeadline));
  const auto start = std::chrono::steady_clock::now();
  const auto second = NewAgent();
  EXPECT_TRUE(second->PredecessorDied());
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1500));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(Handover, TellsTheAgentThatTheKeeperDied) {
  StartKeeper();
  std::atomic<int> told = 0;
  const auto agent = NewAgent({.on_drain = nullptr, .on_disconnected = [&] { ++told; }});
  keeper_.reset();
  EXPECT_TRUE(WaitFor([&] { return told == 1; }, kDeadline));
  EXPECT_FALSE(agent->Connected());
  const auto failed = agent->ListVolumes();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  const auto refused = KeeperClient::Connect(SocketPath(), {}, kDeadline);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
}

TEST_F(Handover, TheSocketsWaitForAnAgent) {
  StartKeeper();
  const UniqueFd call = ConnectStream(CsiPath());
  ASSERT_TRUE(call) << "before any agent";
  ASSERT_EQ(send(call.Get(), "hi", 2, 0), 2);
  EXPECT_FALSE(std::filesystem::exists(RegistrationPath()));
  struct stat csi = {};
  ASSERT_EQ(stat(CsiPath().c_str(), &csi), 0);
  EXPECT_EQ(csi.st_mode & 07777, 0600U);
  auto agent = NewAgent();
  EXPECT_FALSE(agent->GetSockets()->registration);
  ASSERT_TRUE(agent->Ready(true));
  EXPECT_TRUE(std::filesystem::exists(RegistrationPath()));
  agent.reset();
  EXPECT_TRUE(ConnectStream(RegistrationPath())) << "kept while there is no agent";

  agent = NewAgent();
  auto sockets = agent->GetSockets();
  ASSERT_TRUE(sockets);
  ASSERT_TRUE(sockets->csi);
  ASSERT_TRUE(sockets->registration);
  const UniqueFd accepted(accept4(sockets->csi.Get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted);
  std::string said(2, '\0');
  EXPECT_EQ(recv(accepted.Get(), said.data(), 2, 0), 2);
  EXPECT_EQ(said, "hi");
}

TEST_F(Handover, ANewKeeperTakesEverythingWhileReadersRun) {
  StartKeeper();
  std::atomic<int> told = 0;
  const auto connect = [&] {
    return NewAgent({.on_drain = nullptr, .on_disconnected = [&] { ++told; }});
  };
  auto agent = connect();
  ASSERT_TRUE(agent->Ready(true));
  const Target memory = NewTarget("pod-2");
  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(agent->MountTmpfs(memory, 0755, 1U << 20, 0, 0, ""));
  auto mounted = agent->Mount(target, 0755, "");
  ASSERT_TRUE(mounted);
  ASSERT_TRUE(agent->Store(target.volume, 3, *KeeperClient::SealedMemfd("state")));
  const UniqueFd journal = *agent->GetJournal();
  ASSERT_EQ(pwrite(journal.Get(), "request", 7, 0), 7);
  const UniqueFd call = ConnectStream(CsiPath());
  const RawFuse server(std::move(mounted->device), "value");
  std::atomic<int> failures = 0;
  std::jthread reader([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (ReadOrErrno(MountOf(target) + "/key") != "value") ++failures;
    }
  });
  for (int round = 0; round < 3; ++round) {
    ReplaceKeeper();
    EXPECT_TRUE(WaitFor([&] { return told == round + 1; }, kDeadline));
    agent = connect();
    EXPECT_TRUE(agent->PredecessorDied()) << "nobody said that it did not";
    const auto volumes = agent->ListVolumes();
    ASSERT_TRUE(volumes) << volumes.error().ToString();
    ASSERT_EQ(volumes->size(), 2U);
    const bool first = (*volumes)[0].target == target;
    const KeptVolume& fuse = (*volumes)[first ? 0 : 1];
    const KeptVolume& tmpfs = (*volumes)[first ? 1 : 0];
    EXPECT_EQ(fuse.generation, 3U);
    EXPECT_EQ(BytesOf(fuse.state), "state");
    EXPECT_EQ(fuse.rotated, round == 0 ? 0U : static_cast<std::uint64_t>(9 + round));
    EXPECT_FALSE(fuse.aborted || fuse.gone || tmpfs.aborted || tmpfs.gone);
    EXPECT_TRUE(tmpfs.tmpfs);
    const std::string name = std::to_string(round);
    EXPECT_EQ(mkdirat(tmpfs.root.Get(), name.c_str(), 0755), 0) << errno;
    EXPECT_TRUE(std::filesystem::exists(MountOf(memory) + "/" + name));
    ASSERT_TRUE(agent->Rotate(target.volume, 0, static_cast<std::uint64_t>(10 + round), kDeadline));
    EXPECT_EQ(server.LinkOf("..data"), ".." + std::to_string(10 + round));
  }
  EXPECT_EQ(BytesOf(*agent->GetJournal()).substr(0, 7), "request");
  const auto sockets = agent->GetSockets();
  EXPECT_TRUE(sockets->registration);
  EXPECT_TRUE(UniqueFd(accept4(sockets->csi.Get(), nullptr, nullptr, SOCK_CLOEXEC)));
  reader.request_stop();
  reader.join();
  EXPECT_EQ(failures, 0);
  ASSERT_TRUE(agent->Unmount(target));
  ASSERT_TRUE(agent->Unmount(memory));
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
}

TEST_F(Handover, AKeeperThatIsToldToEndTakesItsSocketsAway) {
  StartKeeper();
  auto agent = NewAgent();
  ASSERT_TRUE(agent->Ready(true));
  ASSERT_TRUE(std::filesystem::exists(RegistrationPath()));
  KeeperProcess().Signal(SIGTERM);
  EXPECT_EQ(KeeperProcess().Wait(kDeadline), 0);
  for (const std::string& path : {SocketPath(), CsiPath(), RegistrationPath()}) {
    EXPECT_FALSE(std::filesystem::exists(path)) << path;
  }
}

TEST_F(Handover, TheOldKeeperGoesOnWhenTheNewOneDiesInTheMiddle) {
  StartKeeper();
  auto agent = NewAgent();
  for (const char* const pod : {"pod-1", "pod-2"}) {
    ASSERT_TRUE(agent->Mount(NewTarget(pod), 0755, ""));
  }
  for (int step = 0; step < 3; ++step) {
    const UniqueFd taker = RawConnection();
    ASSERT_EQ(Ask(taker, NewMessage(Verb::kTakeover)), 0);
    if (step > 0) {
      Message volume = {};
      EXPECT_EQ(Receive(taker.Get(), &volume, nullptr, 0), EPROTO) << "descriptors";
    }
    if (step > 1) {
      EXPECT_EQ(Send(taker.Get(), {NewMessage(Verb::kDrained), {}}, 0), 0) << "nothing it knows";
    }
  }
  EXPECT_EQ(agent->ListVolumes()->size(), 2U);
  ReplaceKeeper();
  agent = NewAgent();
  EXPECT_EQ(agent->ListVolumes()->size(), 2U);
}

TEST_F(Handover, ANewKeeperWaitsForRotations) {
  StartKeeper();
  auto agent = NewAgent();
  const Target target = NewTarget("pod-1");
  auto mounted = agent->Mount(target, 0755, "");
  ASSERT_TRUE(mounted);
  EXPECT_FALSE(agent->Rotate(target.volume, 0, 2, std::chrono::milliseconds(20)));
  EXPECT_EQ(Ask(RawConnection(), NewMessage(Verb::kTakeover)), EBUSY);
  const std::unique_ptr<testing::Process> old = std::move(keeper_);
  std::jthread successor([&] { StartKeeper(); });
  const RawFuse server(std::move(mounted->device), "value");
  successor.join();
  EXPECT_EQ(old->Wait(kDeadline), 0) << old->Err();
  agent = NewAgent();
  EXPECT_EQ((*agent->ListVolumes())[0].rotated, 2U);
}

// The folder of the socket is the agent's: it may listen there in the keeper's place.
TEST_F(Handover, ANewKeeperTakesNothingFromAnotherUser) {
  StartKeeper();
  keeper_.reset();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chmod(folder_.c_str(), 0777) != 0 || setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
    unlink(SocketPath().c_str());
    UniqueFd fake;
    if (ListenAt(SocketPath().c_str(), SOCK_SEQPACKET, 65534, &fake) != 0) _exit(2);
    testing::WriteAll(folder_ + "/fake", "x");
    while (true) pause();
  }
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(folder_ + "/fake"); }, kDeadline));
  StartKeeper();
  NewAgent();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_F(Handover, TheWatchdogAbortsItsOwnConnectionsOnly) {
  const Target target = NewTarget("pod-1");
  const Target foreign = NewTarget("pod-2");
  testing::WriteAll(FolderOf(foreign) + "/vol_data.json", "{}");
  StartKeeper({"--watchdog", "1"});
  // Another keeper's mount, alive, with the same kubelet folder.
  testing::Process other({"/proc/" + std::to_string(keeper_->pid()) + "/exe", "--socket",
                          folder_ + "/other.sock", "--kubelet-dir", Kubelet()},
                         {}, folder_ + "/other");
  ASSERT_TRUE(other.WaitForOutput("keeper serves", kDeadline));
  const auto other_agent = KeeperClient::Connect(folder_ + "/other.sock", {}, kDeadline);
  ASSERT_TRUE(other_agent);
  auto alive = (*other_agent)->Mount(foreign, 0755, "");
  ASSERT_TRUE(alive);
  const RawFuse server(std::move(alive->device), "foreign");

  auto agent = NewAgent();
  ASSERT_TRUE(agent->Ready(true));
  const auto mounted = agent->Mount(target, 0755, "");
  ASSERT_TRUE(mounted);
  {
    const RawFuse once(DupOf(mounted->device), "value");
    EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "value");
  }
  std::string answer;
  std::jthread reader([&] { answer = ReadOrErrno(MountOf(target) + "/key"); });
  agent.reset();
  // We hold the descriptor still, and serve nothing.
  reader.join();
  EXPECT_EQ(answer, "errno " + std::to_string(ECONNABORTED));
  EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "errno " + std::to_string(ENOTCONN));
  EXPECT_EQ(ReadOrErrno(MountOf(foreign) + "/key"), "foreign");
  EXPECT_EQ(MountsBelow(Kubelet()).size(), 2U) << "kubelet's unpublish finds it";

  agent = NewAgent();
  const auto volumes = agent->ListVolumes();
  ASSERT_EQ(volumes->size(), 1U);
  EXPECT_TRUE((*volumes)[0].aborted);
  EXPECT_FALSE((*volumes)[0].device);
  auto again = agent->Mount(target, 0755, "");
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->existed);
  const RawFuse repaired(std::move(again->device), "value");
  EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "value");
  ASSERT_TRUE(agent->Unmount(target));
}

// Agents connect to the new keeper or are watched for.
TEST_F(Handover, TheWatchdogCountsFromATakeoverOn) {
  StartKeeper();
  const Target target = NewTarget("pod-1");
  auto agent = NewAgent();
  ASSERT_TRUE(agent->Ready(true));
  ASSERT_TRUE(agent->Mount(target, 0755, ""));
  const auto start = std::chrono::steady_clock::now();
  ReplaceKeeper({"--watchdog", "1"});
  const std::string answer = ReadOrErrno(MountOf(target) + "/key");
  EXPECT_TRUE(answer == "errno " + std::to_string(ECONNABORTED) ||
              answer == "errno " + std::to_string(ENOTCONN))
      << answer;
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  agent = NewAgent();
  EXPECT_TRUE((*agent->ListVolumes())[0].aborted);
}

TEST_F(Handover, AReadyAgentKeepsTheWatchdogQuiet) {
  StartKeeper({"--watchdog", "1"});
  const auto agent = NewAgent();
  ASSERT_TRUE(agent->Ready(true));
  ASSERT_TRUE(agent->Mount(NewTarget("pod-1"), 0755, ""));
  EXPECT_FALSE(keeper_->WaitForOutput("no agent serves", std::chrono::milliseconds(1500)));
  EXPECT_FALSE((*agent->ListVolumes())[0].aborted);
}

}  // namespace
}  // namespace escagent::keeper
