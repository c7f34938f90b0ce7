#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/syscall_filter.h"
#include "tests/system/pod_readers.h"
#include "tests/system/process.h"
#include "tests/system/testbed.h"

namespace escagent::testing {

// How often something is done to the programs: with sanitizers each start takes much longer.
constexpr int Times(int times) {
#ifdef ESC_AGENT_SANITIZED
  return times / 4;
#else
  return times;
#endif
}

// Edits the environment on the dev server's disk again and again, one counter higher each time, and
// waits until the watcher among the readers has seen it come.
class Rotations {
 public:
  // `last`: the counter that is shown now. Both must outlive this.
  Rotations(Testbed& bed, const PodReaders& readers, int last);

  // Ends with the rotation under way; what went wrong, or empty.
  std::string Stop();
  int Done() const { return done_; }
  int Last() const { return last_; }
  std::chrono::milliseconds Slowest() const { return slowest_; }

 private:
  void Run(const std::stop_token& stop);

  Testbed& bed_;
  const PodReaders& readers_;
  std::atomic<int> last_;
  std::atomic<int> done_ = 0;
  std::atomic<std::chrono::milliseconds> slowest_{std::chrono::milliseconds(0)};
  std::string failure_;  // of the thread, until it is joined
  std::jthread thread_;
};

// A node with a keeper, an agent, and one volume of StormDefinition that pods read all the time,
// while one of the programs is killed or replaced over and over.
class StormTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { EnterPrivateMountNamespace(); }
  // Whatever hangs in a volume is let go.
  void TearDown() override;

  // Finds the driver as kubelet does; its socket must stay from then on.
  void Register();
  // Dev server, keeper, agent, and the volume of pod "pod".
  void StartNode(const std::vector<std::string>& keeper_flags = {});
  // Starts an agent without waiting for it. The one before becomes previous_.
  void SpawnAgent();
  // Waits until it answers. There must be no other.
  void AwaitAgent();
  void StartAgent() {
    SpawnAgent();
    AwaitAgent();
  }
  // SIGKILL, and another agent at once: before the dead one is reaped, or after.
  void CrashAgent(bool reap_first);
  // CrashAgent after random lives, from none to so long; every eighth lives until a rotation is
  // done, if one is under way.
  void CrashAgents(int times, std::chrono::milliseconds longest_life);

  void StartReaders();
  void StartRotations();
  // Ends both, and expects that nothing failed, that the subPath has the last value, and that the
  // driver stayed registered. Prints what `times` of `what` did to them.
  void ExpectNothingFailed(int times, const char* what);

  // A read as of another process, which may hang for ever: the bytes, or "error: ...". On any
  // thread.
  std::string Read(const std::string& path,
                   std::chrono::milliseconds timeout = std::chrono::seconds(20));
  // Of one of the volume's values, or 0.
  int ReadCount();
  std::string Target() const { return bed_.kubelet().TargetPath(volume_); }
  // Folders and mounts of a volume that was unpublished.
  std::vector<std::string> LeftBehind(const InlineVolume& volume) const;

  mutable Testbed bed_{ProgramFolder()};
  InlineVolume volume_;
  std::map<std::string, std::string> attributes_ = {{"clusterSecretStore", "storm"},
                                                    {"path", "storm"}};
  // Of the agents' command lines: what comes in front, the program in place of the build's, flags.
  std::vector<std::string> agent_wrapper_;
  std::string agent_program_;
  std::vector<std::string> agent_flags_ = {"--refresh-interval", "1s"};
  std::unique_ptr<Process> previous_;
  std::unique_ptr<Process> agent_;
  std::unique_ptr<PodReaders> readers_;
  std::unique_ptr<Rotations> rotations_;
  int count_ = 1;  // shown before the first of the rotations

 private:
  ino_t registration_inode_ = 0;
  std::minstd_rand random_{std::random_device()()};
  Mutex reads_mutex_;
  std::vector<std::jthread> reads_ GUARDED_BY(reads_mutex_);  // that hang
};

}  // namespace escagent::testing
