// An agent is killed again and again while readers check every byte. The test plays the keeper: it
// holds the connection, the journal and the state stored last.

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "fuse/journal.h"
#include "fuse/mount_ops.h"
#include "fuse/session.h"
#include "fuse/tree_codec.h"
#include "tests/component/fuse/mount_fixture.h"
#include "tests/component/fuse/takeover_protocol.h"

namespace escagent::fuse {
namespace {

using std::chrono::steady_clock;

constexpr int kKills = 70;  // in each of the three cases that storm
constexpr std::chrono::milliseconds kLongestLife{30};
constexpr std::chrono::seconds kReaderDeadline{20};

// What the readers saw.
class Verdict {
 public:
  void Fail(const std::string& what) {
    MutexLock lock(mutex_);
    if (failures_++ == 0) first_ = what;
  }
  void Done(steady_clock::duration took) {
    ++operations_;
    auto worst = worst_.load();
    while (worst < took && !worst_.compare_exchange_weak(worst, took)) {
    }
  }
  std::string Failures() {
    MutexLock lock(mutex_);
    return failures_ == 0 ? "" : std::to_string(failures_) + ", the first: " + first_;
  }
  std::uint64_t Operations() const { return operations_; }
  std::int64_t WorstMilliseconds() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(worst_.load()).count();
  }

 private:
  Mutex mutex_;
  std::uint64_t failures_ GUARDED_BY(mutex_) = 0;
  std::string first_ GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> operations_{0};
  std::atomic<steady_clock::duration> worst_{steady_clock::duration::zero()};
};

// Readers of a volume until Stop; each checks what it reads.
class Readers {
 public:
  Readers(std::string mountpoint, const std::atomic<std::uint32_t>& acknowledged)
      : mountpoint_(std::move(mountpoint)), acknowledged_(acknowledged) {
    for (const char* name : {"first", "second", "app/user", "first", "second"}) {
      Start([this, path = mountpoint_ + "/" + name] { ReadOnce(path); });
    }
    Start([this] { HoldAndRead(); });
    for (int i = 0; i < 2; ++i) Start([this] { ListAndStat(); });
  }
  ~Readers() { Stop(); }

  // False when one hangs; then the connection is aborted to set it free.
  bool Stop() {
    stopping_ = true;
    const auto deadline = steady_clock::now() + kReaderDeadline;
    while (running_ > 0 && steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const bool all = running_ == 0;
    if (!all) AbortOwnConnections();
    threads_.clear();
    return all;
  }
  Verdict& Seen() { return verdict_; }

 private:
  template <class Body>
  void Start(Body body) {
    ++running_;
    threads_.emplace_back([this, body] {
      while (!stopping_) {
        const auto begin = steady_clock::now();
        body();
        verdict_.Done(steady_clock::now() - begin);
      }
      --running_;
    });
  }

  // The number the bytes are of, 0 when they are of no single one.
  std::uint32_t NumberOf(const std::string& bytes, const std::string& what) {
    const std::uint32_t number = bytes.size() == kValueSize
                                     ? static_cast<std::uint32_t>(std::stoul(bytes.substr(0, 15)))
                                     : 0;
    if (number == 0 || bytes != ValueOf(number)) {
      verdict_.Fail("torn: " + what + ", " + std::to_string(bytes.size()) + " bytes");
      return 0;
    }
    return number;
  }

  void ReadOnce(const std::string& path) {
    const std::uint32_t least = acknowledged_;
    const Answer<std::string> bytes = ReadPath(path);
    if (!bytes) {
      verdict_.Fail("read " + path + ": errno " + std::to_string(bytes.error()));
      return;
    }
    const std::uint32_t number = NumberOf(*bytes, path);
    if (number != 0 && number < least) verdict_.Fail("stale: " + path);
  }

  void HoldAndRead() {
    const Answer<UniqueFd> fd = OpenAt(AT_FDCWD, mountpoint_ + "/first", O_RDONLY);
    if (!fd) {
      verdict_.Fail("open to hold: errno " + std::to_string(fd.error()));
      return;
    }
    std::uint32_t first = 0;
    for (int i = 0; i < 20; ++i) {
      std::string bytes(kValueSize, '\0');
      const ssize_t n = pread(fd->Get(), bytes.data(), bytes.size(), 0);
      if (n < 0) {
        verdict_.Fail("read the held file: errno " + std::to_string(errno));
        return;
      }
      bytes.resize(static_cast<std::size_t>(n));
      const std::uint32_t number = NumberOf(bytes, "held file");
      if (first == 0) first = number;
      if (number != first) verdict_.Fail("the held file changed");
    }
  }

  void ListAndStat() {
    const std::vector<std::string> names = ListOf(mountpoint_);
    for (const char* name : {"..data", "app", "first", "second"}) {
      if (std::ranges::find(names, name) == names.end()) {
        verdict_.Fail(std::string("not listed: ") + name);
        return;
      }
      struct stat found = {};
      if (stat((mountpoint_ + "/" + name).c_str(), &found) != 0) {
        verdict_.Fail("stat " + std::string(name) + ": errno " + std::to_string(errno));
      }
    }
  }

  const std::string mountpoint_;
  const std::atomic<std::uint32_t>& acknowledged_;
  Verdict verdict_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> running_{0};
  std::vector<std::jthread> threads_;
};

struct Recovery {
  const char* name;
  bool journal;
  bool resend;
  CacheProfile cache;
};

class TakeoverTest : public MountTest, public ::testing::WithParamInterface<Recovery> {
 protected:
  void SetUp() override {
    mountpoint_ = NewFolder("volume");
    MountOptions options;
    options.mountpoint = mountpoint_;
    device_ = *MountFuse(mountpoint_, options, 0755);
    const auto first = static_cast<std::uint64_t>(time(nullptr));
    auto tree = *SecretTree::Create(NumberedSpec(1), first, std::chrono::system_clock::now());
    const auto session = *Session::Start(UniqueFd(fcntl(device_.Get(), F_DUPFD_CLOEXEC, 10)),
                                         std::move(tree), GetParam().cache, kDeadline);
    state_ = *EncodeTree(
        {.tree = session->Tree().Save(), .cache = GetParam().cache, .init = session->Init()});
    journal_ = *Journal::Create();
    device_number_ = MountedDevice(mountpoint_)->minor;
    if (GetParam().resend && !*session->Resend()) GTEST_SKIP() << "this kernel cannot resend";
  }
  void TearDown() override { KillAgent(); }

  void StartAgent() {
    std::array<int, 2> ends = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    socket_.Reset(ends[0]);
    // Where none of them is overwritten by another.
    const UniqueFd theirs(fcntl(ends[1], F_DUPFD_CLOEXEC, 10));
    close(ends[1]);
    const UniqueFd state(fcntl(state_.Get(), F_DUPFD_CLOEXEC, 10));
    const UniqueFd journal(fcntl(journal_->Fd().Get(), F_DUPFD_CLOEXEC, 10));
    const UniqueFd device(fcntl(device_.Get(), F_DUPFD_CLOEXEC, 10));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, device.Get(), kDeviceFd);
    posix_spawn_file_actions_adddup2(&actions, state.Get(), kStateFd);
    posix_spawn_file_actions_adddup2(&actions, journal.Get(), kJournalFd);
    posix_spawn_file_actions_adddup2(&actions, theirs.Get(), kSocketFd);
    std::string program = TAKEOVER_AGENT;
    std::string number = std::to_string(device_number_);
    std::string with_journal = GetParam().journal ? "journal" : "-";
    std::string with_resend = GetParam().resend ? "resend" : "-";
    std::array<char*, 5> argv = {program.data(), number.data(), with_journal.data(),
                                 with_resend.data(), nullptr};
    ASSERT_EQ(posix_spawn(&agent_, program.c_str(), &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }

  void KillAgent() {
    if (agent_ <= 0) return;
    kill(agent_, SIGKILL);
    int status = 0;
    waitpid(agent_, &status, 0);
    agent_ = -1;
    EXPECT_TRUE(WIFSIGNALED(status)) << "the agent ended by itself";
  }

  // Lives on what the agent says until it is silent at `until`. Returns whether `last` was said.
  bool Listen(steady_clock::time_point until, bool rotate, Said last) {
    while (true) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now());
      pollfd waiting = {.fd = socket_.Get(), .events = POLLIN, .revents = 0};
      if (left.count() < 0 || poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return false;
      UniqueFd fd;
      const std::optional<Note> note = Receive(socket_.Get(), fd);
      if (!note) return false;
      if (note->said == Said::kReady && rotate) Send(socket_.Get(), {Said::kRotate, ++number_});
      if (note->said == Said::kSaved) {
        state_ = std::move(fd);
        Send(socket_.Get(), {Said::kCommit, note->number});
      }
      if (note->said == Said::kDone) {
        acknowledged_ = note->number;
        ++rotations_;
      }
      if (note->said == last) return true;
    }
  }

  std::string mountpoint_;
  UniqueFd device_;
  UniqueFd state_;
  std::unique_ptr<Journal> journal_;
  std::uint64_t device_number_ = 0;
  pid_t agent_ = -1;
  UniqueFd socket_;
  std::uint32_t number_ = 1;
  int rotations_ = 0;
  std::atomic<std::uint32_t> acknowledged_{1};
};

TEST_P(TakeoverTest, NoReaderNoticesThatAgentsAreKilled) {
  Readers readers(mountpoint_, acknowledged_);
  std::minstd_rand random(std::random_device{}());
  std::uniform_int_distribution<long> life(0, kLongestLife.count() * 1000);
  for (int kills = 0; kills < kKills; ++kills) {
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    // Some die before they serve, some while they rotate; every third gets the time to do both.
    if (kills % 3 == 0) {
      EXPECT_TRUE(Listen(steady_clock::now() + kDeadline, true, Said::kDone));
    }
    Listen(steady_clock::now() + std::chrono::microseconds(life(random)), true, Said::kCommit);
    KillAgent();
  }
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  EXPECT_TRUE(Listen(steady_clock::now() + kDeadline, false, Said::kReady));
  EXPECT_TRUE(readers.Stop()) << "a reader hangs";
  EXPECT_EQ(readers.Seen().Failures(), "");
  EXPECT_GT(readers.Seen().Operations(), 500u);
  std::printf("%s: %d kills, %d rotations, %llu operations, worst stall %lld ms\n", GetParam().name,
              kKills, rotations_, static_cast<unsigned long long>(readers.Seen().Operations()),
              static_cast<long long>(readers.Seen().WorstMilliseconds()));
}

INSTANTIATE_TEST_SUITE_P(Recovery, TakeoverTest,
                         ::testing::Values(Recovery{"Journal", true, false, CacheProfile::kNone},
                                           Recovery{"Resend", false, true, CacheProfile::kPage},
                                           Recovery{"Both", true, true, CacheProfile::kPage}),
                         [](const ::testing::TestParamInfo<Recovery>& test) {
                           return std::string(test.param.name);
                         });

}  // namespace
}  // namespace escagent::fuse
