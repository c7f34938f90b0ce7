#include "tests/system/storm.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>
#include <utility>

#include "agent/status/admin_protocol.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "tests/system/storm_reading.h"
#include "tests/system/storm_value.h"

namespace escagent::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr const char* kEnvironment = "acme/storm/dev";
// A rotation needs an agent that lives for a moment.
constexpr seconds kRotationPatience{30};
constexpr milliseconds kAskTimeout{1000};

milliseconds Since(steady_clock::time_point start) {
  return duration_cast<milliseconds>(steady_clock::now() - start);
}

ino_t InodeOf(const std::string& path) {
  struct stat found = {};
  return lstat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

std::string LastLines(const std::string& text, std::size_t lines) {
  std::size_t at = text.size();
  for (std::size_t i = 0; i <= lines && at != std::string::npos && at > 0; ++i) {
    at = text.rfind('\n', at - 1);
  }
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

}  // namespace

Rotations::Rotations(Testbed& bed, const PodReaders& readers, int last)
    : bed_(bed),
      readers_(readers),
      last_(last),
      thread_(StartThread("rotations", [this](const std::stop_token& stop) { Run(stop); })) {}

std::string Rotations::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  return failure_;
}

void Rotations::Run(const std::stop_token& stop) {
  while (!stop.stop_requested() && failure_.empty()) {
    const int next = last_ + 1;
    const auto start = steady_clock::now();
    bed_.WriteEnvironment(kEnvironment, StormDefinition(next));
    last_ = next;
    bool asked = false;
    const bool seen = WaitFor(
        [&] {
          // Again and again: the agent that was asked may be dead already.
          const bool ask = !asked || Since(start) > milliseconds(100);
          if (ask)
            asked = status::AskAgent(bed_.admin_socket(), "refresh", kAskTimeout).has_value();
          return readers_.WatchedCount() >= next;
        },
        kRotationPatience);
    if (!seen) {
      failure_ = "no watcher has seen rotation " + std::to_string(next) + " come within 30 s";
      return;
    }
    slowest_ = std::max(slowest_.load(), Since(start));
    ++done_;
  }
}

void StormTest::TearDown() {
  if (HasFailure()) {
    for (const char* log : {"/agents.err", "/keeper1.err"}) {
      std::printf("--- the end of %s\n%s", log,
                  LastLines(ReadAll(bed_.folder() + log), 300).c_str());
    }
  }
  if (rotations_ != nullptr) rotations_->Stop();
  const bool ended = readers_ == nullptr || readers_->Stop(seconds(10));
  EXPECT_TRUE(ended) << "readers hang in the volume: its connection is aborted";
  AbortFuseBelow(bed_.folder());
  readers_.reset();
  {
    MutexLock lock(reads_mutex_);
    reads_.clear();
  }
  agent_.reset();
  previous_.reset();
}

void StormTest::Register() {
  const Result<RegisteredDriver> driver = bed_.kubelet().Register(bed_.registry(), seconds(20));
  ASSERT_TRUE(driver) << driver.error().ToString();
  registration_inode_ = InodeOf(bed_.registration_socket());
}

void StormTest::StartNode(const std::vector<std::string>& keeper_flags) {
  bed_.WriteEnvironment(kEnvironment, StormDefinition(count_));
  bed_.WriteClusterStore("storm", kEnvironment);
  bed_.StartDevServer();
  bed_.StartKeeper(keeper_flags);
  StartAgent();
  Register();
  volume_ = bed_.Volume("pod", attributes_);
  const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), volume_);
  ASSERT_TRUE(target) << target.error().message;
}

void StormTest::SpawnAgent() {
  std::vector<std::string> argv = bed_.AgentCommand(agent_flags_);
  if (!agent_program_.empty()) argv[0] = agent_program_;
  argv.insert(argv.begin(), agent_wrapper_.begin(), agent_wrapper_.end());
  previous_ =
      std::exchange(agent_, std::make_unique<Process>(argv, std::map<std::string, std::string>{},
                                                      bed_.folder() + "/agents"));
}

void StormTest::AwaitAgent() {
  const bool answers = WaitFor(
      [this] {
        return !agent_->Running() ||
               status::AskAgent(bed_.admin_socket(), "status", kAskTimeout).has_value();
      },
      seconds(20));
  ASSERT_TRUE(answers && agent_->Running()) << LastLines(agent_->Err(), 20);
}

void StormTest::CrashAgent(bool reap_first) {
  agent_->Signal(SIGKILL);
  int code = reap_first ? agent_->Wait(seconds(10)) : -1;
  SpawnAgent();
  if (!reap_first) code = previous_->Wait(seconds(10));
  EXPECT_EQ(code, 128 + SIGKILL) << "the agent ended before it was killed, or did not die";
}

void StormTest::CrashAgents(int times, milliseconds longest_life) {
  std::uniform_int_distribution<int> life(0, static_cast<int>(longest_life.count()));
  for (int i = 0; i < times && !HasFailure(); ++i) {
    if (i % 8 == 7 && rotations_ != nullptr) {
      const int done = rotations_->Done();
      WaitFor([&] { return rotations_->Done() > done; }, seconds(5));
    } else {
      poll(nullptr, 0, life(random_));
    }
    CrashAgent(i % 2 == 0);
  }
}

void StormTest::StartReaders() {
  readers_ = std::make_unique<PodReaders>(Target(), bed_.folder() + "/" + volume_.pod_name,
                                          attributes_["cache"] != "full");
}

void StormTest::StartRotations() {
  rotations_ = std::make_unique<Rotations>(bed_, *readers_, count_);
}

void StormTest::ExpectNothingFailed(int times, const char* what) {
  if (rotations_ != nullptr) {
    EXPECT_EQ(rotations_->Stop(), "");
    count_ = rotations_->Last();
    EXPECT_GE(readers_->WatchedSwaps(), rotations_->Done());
    EXPECT_TRUE(attributes_["cache"] == "full" ||
                WaitFor([this] { return readers_->SubPathCount() == count_; }, seconds(10)))
        << "the subPath shows " << readers_->SubPathCount() << ", the volume " << count_;
  }
  const bool ended = readers_->Stop(seconds(20));
  EXPECT_TRUE(ended) << "readers hang";
  EXPECT_EQ(readers_->FailureCount(), 0) << readers_->Failures();
  EXPECT_EQ(InodeOf(bed_.registration_socket()), registration_inode_)
      << "kubelet takes a driver whose socket goes for gone";
  std::printf(
      "  %d %s; %d rotations, the slowest %ld ms, %d swaps watched; %ld operations, "
      "%ld failed\n",
      times, what, rotations_ ? rotations_->Done() : 0,
      rotations_ ? static_cast<long>(rotations_->Slowest().count()) : 0L, readers_->WatchedSwaps(),
      readers_->Operations(), readers_->FailureCount());
  for (const ReaderReport& report : readers_->Reports()) {
    std::printf("    %-24s %8ld operations, worst stall %5ld ms\n", report.kind, report.operations,
                static_cast<long>(report.worst_stall.count()));
  }
}

std::string StormTest::Read(const std::string& path, milliseconds timeout) {
  // The thread may never end: it owns the promise.
  auto promise = std::make_shared<std::promise<std::string>>();
  std::future<std::string> bytes = promise->get_future();
  std::jthread thread = StartThread("read", [promise, path] {
    if (close_range(3, ~0U, CLOSE_RANGE_UNSHARE) != 0) std::abort();
    std::string all;
    const Failure failure = ReadFile(AT_FDCWD, path, all);
    promise->set_value(failure.empty() ? all : "error: " + failure);
  });
  if (bytes.wait_for(timeout) == std::future_status::ready) return bytes.get();
  MutexLock lock(reads_mutex_);
  reads_.push_back(std::move(thread));
  return "error: hangs";
}

int StormTest::ReadCount() { return StormCount("alpha", Read(Target() + "/alpha")).value_or(0); }

std::vector<std::string> StormTest::LeftBehind(const InlineVolume& volume) const {
  const fs::path volumes =
      fs::path(bed_.kubelet_dir()) / "pods" / volume.pod_uid / "volumes/kubernetes.io~csi";
  std::vector<std::string> left = MountsBelow(volumes);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(volumes, ignored)) left.push_back(entry.path());
  return left;
}

}  // namespace escagent::testing
