// The agent is killed with SIGKILL over and over, and the pods do not notice.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "tests/system/storm.h"
#include "tests/system/storm_value.h"

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// A folder that a pod holds open, on a thread with descriptors of its own.
class OpenFolder {
 public:
  explicit OpenFolder(const std::string& path)
      : pod_(StartThread("pod", [this, path](const std::stop_token& stop) { Run(path, stop); })) {}
  // No read may hang any more.
  ~OpenFolder() {
    pod_.request_stop();
    Ask("");
  }

  // The counter in a file; 0 when it cannot be read or is not whole.
  int Read(const std::string& file) {
    std::future<int> count = Ask(file);
    return count.wait_for(seconds(10)) == std::future_status::ready ? count.get() : 0;
  }

 private:
  std::future<int> Ask(const std::string& file) {
    MutexLock lock(mutex_);
    file_ = file;
    count_ = std::promise<int>();
    asked_ = true;
    changed_.NotifyAll();
    return count_.get_future();
  }

  void Run(const std::string& path, const std::stop_token& stop) {
    if (close_range(3, ~0U, CLOSE_RANGE_UNSHARE) != 0) std::abort();
    const UniqueFd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    while (true) {
      std::string name;
      {
        MutexLock lock(mutex_);
        while (!asked_) changed_.Wait(mutex_);
        asked_ = false;
        name = file_;
      }
      if (stop.stop_requested()) return;
      const UniqueFd file(openat(folder.Get(), name.c_str(), O_RDONLY | O_CLOEXEC));
      std::string bytes(65536, '\0');
      const ssize_t size = read(file.Get(), bytes.data(), bytes.size());
      bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
      MutexLock lock(mutex_);
      count_.set_value(StormCount(name, bytes).value_or(0));
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::string file_ GUARDED_BY(mutex_);
  std::promise<int> count_ GUARDED_BY(mutex_);
  bool asked_ GUARDED_BY(mutex_) = false;
  std::jthread pod_;
};

class CrashTest : public StormTest {
 protected:
  void TearDown() override {
    StormTest::TearDown();
    folder_.reset();
  }

  std::unique_ptr<OpenFolder> folder_;
};

TEST_F(CrashTest, NoReadFailsWhileTheAgentCrashes200Times) {
  constexpr int kCrashes = Times(200);
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  const auto start = steady_clock::now();
  CrashAgents(kCrashes, milliseconds(400));
  std::printf("  in %lld s\n",
              static_cast<long long>(
                  std::chrono::duration_cast<seconds>(steady_clock::now() - start).count()));
  ExpectNothingFailed(kCrashes, "crashes of the agent");
  EXPECT_GE(rotations_->Done(), kCrashes / 8) << "rotations hardly came through";
}

TEST_F(CrashTest, AnOpenFolderStaysOfOneGenerationOverRotationsAndACrash) {
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  // The kernel knows beta of this generation, and nobody has read it through the folder yet.
  folder_ = std::make_unique<OpenFolder>(Target() + "/..data");
  EXPECT_EQ(folder_->Read("beta"), folder_->Read("alpha"));
  const auto rotate = [this] {
    const int done = rotations_->Done();
    EXPECT_TRUE(WaitFor([&] { return rotations_->Done() >= done + 2; }, seconds(20)));
  };
  const int count = folder_->Read("alpha");
  rotate();
  EXPECT_EQ(folder_->Read("beta"), count);
  CrashAgent(/*reap_first=*/true);
  EXPECT_EQ(folder_->Read("beta"), count);
  rotate();
  EXPECT_EQ(folder_->Read("alpha"), count);
  EXPECT_EQ(folder_->Read("beta"), count);
  ExpectNothingFailed(1, "crash");
}

// Without any cache in the kernel, and with as much as possible.
class CacheTest : public CrashTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(CacheTest, NoReadFailsWhileTheAgentCrashes) {
  constexpr int kCrashes = Times(40);
  attributes_["cache"] = GetParam();
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  CrashAgents(kCrashes, milliseconds(400));
  ExpectNothingFailed(kCrashes, "crashes of the agent");
}

INSTANTIATE_TEST_SUITE_P(Profiles, CacheTest, ::testing::Values("none", "full"));

TEST_F(CrashTest, WithEscDownTheLastValuesAreThereAtOnce) {
  constexpr int kCrashes = Times(50);
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  bed_.StopDevServer();
  milliseconds slowest{0};
  for (int i = 0; i < kCrashes && !HasFailure(); ++i) {
    CrashAgents(1, milliseconds(300));
    const auto start = steady_clock::now();
    EXPECT_EQ(ReadCount(), count_);
    slowest =
        std::max(slowest, std::chrono::duration_cast<milliseconds>(steady_clock::now() - start));
  }
  // A new value arrives when ESC is back.
  bed_.WriteEnvironment("acme/storm/dev", StormDefinition(++count_));
  bed_.StartDevServer();
  EXPECT_TRUE(WaitFor([this] { return readers_->WatchedCount() == count_; }, seconds(30)));
  ExpectNothingFailed(kCrashes, "crashes of the agent while ESC was down");
  std::printf("    after a start the first read took %ld ms at most\n",
              static_cast<long>(slowest.count()));
}

}  // namespace
}  // namespace escagent::testing
