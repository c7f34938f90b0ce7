// Nothing piles up: 300 crashes, 2,000 pods.

#include <poll.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/system/storm.h"

namespace escagent::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// What a process holds.
struct Footprint {
  long descriptors = 0;
  long threads = 0;
  long rss_kib = 0;
};

long StatusNumber(const std::string& status, const std::string& name) {
  const std::size_t at = status.find("\n" + name + ":");
  return at == std::string::npos ? -1 : std::stol(status.substr(at + name.size() + 2));
}

Footprint FootprintOf(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  const std::string status = ReadAll(process + "/status");
  return {.descriptors =
              std::distance(fs::directory_iterator(process + "/fd"), fs::directory_iterator()),
          .threads = StatusNumber(status, "Threads"),
          .rss_kib = StatusNumber(status, "VmRSS")};
}

class GrowthTest : public StormTest {
 protected:
  Footprint Keeper() { return FootprintOf(bed_.keeper().pid()); }

  void Print(const char* what, const Footprint& before, const Footprint& after) {
    std::printf("    %-7s %ld -> %ld descriptors, %ld -> %ld threads, %ld -> %ld KiB\n", what,
                before.descriptors, after.descriptors, before.threads, after.threads,
                before.rss_kib, after.rss_kib);
  }

  // So many pods come and go, four at a time.
  void RunPods(int pods) {
    std::atomic<int> next = 0;
    std::vector<std::jthread> kubelet;
    for (int thread = 0; thread < 4; ++thread) {
      kubelet.emplace_back([&, thread] {
        const InlineVolume volume =
            bed_.Volume("pod-" + std::to_string(thread), volume_.attributes);
        while (next++ < pods && !HasFailure()) {
          const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), volume);
          EXPECT_TRUE(target) << target.error().ToString();
          const Status gone = bed_.kubelet().Unpublish(bed_.endpoint(), volume);
          EXPECT_TRUE(gone) << gone.error().ToString();
        }
      });
    }
  }
};

TEST_F(GrowthTest, NothingGrowsIn300Crashes) {
  constexpr int kCrashes = 300;
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  CrashAgents(5, milliseconds(150));
  AwaitAgent();
  const Footprint before = Keeper();
  const std::size_t mounts = MountsBelow(bed_.folder()).size();
  CrashAgents(kCrashes, milliseconds(150));
  AwaitAgent();
  // The dead agents' connections have been noticed when the last one is served.
  EXPECT_TRUE(WaitFor([&] { return Keeper().descriptors == before.descriptors; }, seconds(10)))
      << Keeper().descriptors << " descriptors, before " << before.descriptors;
  const Footprint after = Keeper();
  std::printf("  %d crashes\n", kCrashes);
  Print("keeper", before, after);
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_LE(after.rss_kib, before.rss_kib + 128);
  EXPECT_EQ(MountsBelow(bed_.folder()).size(), mounts);
  EXPECT_EQ(ReadCount(), count_);
}

TEST_F(GrowthTest, NothingGrowsWith2000Pods) {
  constexpr int kPods = 2000;
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  RunPods(200);
  ASSERT_FALSE(HasFailure());
  const Footprint keeper = Keeper();
  const Footprint agent = FootprintOf(agent_->pid());
  const std::size_t mounts = MountsBelow(bed_.folder()).size();
  const auto start = steady_clock::now();
  RunPods(kPods);
  const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
  // The last sessions end when the kernel says so.
  EXPECT_TRUE(WaitFor(
      [&] {
        return FootprintOf(agent_->pid()).descriptors <= agent.descriptors + 4 &&
               Keeper().descriptors == keeper.descriptors;
      },
      seconds(10)));
  const Footprint keeper_after = Keeper();
  const Footprint agent_after = FootprintOf(agent_->pid());
  std::printf("  %d pods in %ld ms\n", kPods, static_cast<long>(took.count()));
  Print("keeper", keeper, keeper_after);
  Print("agent", agent, agent_after);
  EXPECT_EQ(keeper_after.descriptors, keeper.descriptors);
  EXPECT_EQ(keeper_after.threads, keeper.threads);
  EXPECT_LE(keeper_after.rss_kib, keeper.rss_kib + 128);
  // gRPC keeps some threads and descriptors for a while.
  EXPECT_LE(agent_after.descriptors, agent.descriptors + 4);
  EXPECT_LE(agent_after.threads, agent.threads + 4);
  EXPECT_LE(agent_after.rss_kib, agent.rss_kib + 4096);
  EXPECT_EQ(MountsBelow(bed_.folder()).size(), mounts);
}

}  // namespace
}  // namespace escagent::testing
