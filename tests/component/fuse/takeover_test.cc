// An agent is killed again and again while readers check every byte. The test plays the keeper: it
// holds the connection, the journal and the state stored last, and makes the renames. It waits for
// the end of each agent that it kills before it starts the next one, as a container runtime does.

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mount.h>
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

#include "fuse/journal.h"
#include "fuse/mount_ops.h"
#include "fuse/session.h"
#include "fuse/tree_codec.h"
#include "tests/component/fuse/mount_fixture.h"
#include "tests/component/fuse/rename_helper.h"
#include "tests/component/fuse/takeover_protocol.h"
#include "tests/component/fuse/takeover_readers.h"
#include "tests/component/fuse/watcher.h"

namespace escagent::fuse {
namespace {

using std::chrono::steady_clock;

constexpr int kKills = 70;  // in each of the three cases that storm
constexpr std::chrono::milliseconds kLongestLife{30};

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
    MountPair mounts = MountTwice(mountpoint_);
    device_ = std::move(mounts.device);
    root_ = std::move(mounts.root);
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
  void TearDown() override {
    KillAgent();
    if (helper_.joinable()) AbortOwnConnections();
    helper_ = {};
    umount2(mountpoint_.c_str(), MNT_DETACH);
  }

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

  // Does what a keeper does until `last` was said, and then returns true, or until `until`.
  bool Keep(steady_clock::time_point until, bool publish, Said last) {
    while (true) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now());
      std::array<pollfd, 2> waiting = {
          {{.fd = socket_.Get(), .events = POLLIN, .revents = 0},
           {.fd = helper_done_.Get(), .events = POLLIN, .revents = 0}}};
      if (left.count() < 0 ||
          poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) <= 0) {
        return false;
      }
      if (waiting[1].revents != 0) NoteHelperDone();
      if (waiting[0].revents == 0) continue;
      UniqueFd fd;
      const std::optional<Note> note = Receive(socket_.Get(), fd);
      if (!note) return false;
      if (note->said == Said::kReady && publish) {
        Send(socket_.Get(), {.said = Said::kPublish, .number = ++number_});
      }
      if (note->said == Said::kRotate) MakeRenames(*note, std::move(fd));
      if (note->said == Said::kDone) acknowledged_ = stored_number_;
      if (note->said == last) return true;
    }
  }

  void MakeRenames(const Note& note, UniqueFd state) {
    if (state) {
      state_ = std::move(state);
      stored_number_ = note.number;
      ++stored_count_;
    }
    is_asked_ = true;
    if (rotated_ == note.new_generation) return ReplyRotated(0);
    if (helper_.joinable()) {
      EXPECT_EQ(rotating_, note.new_generation) << "two rotations at the same time";
      return;
    }
    rotating_ = note.new_generation;
    helper_ = std::jthread([this, old_generation = note.old_generation] {
      helper_error_ = RenameHelper(root_.Get(), old_generation, rotating_).Run();
      eventfd_write(helper_done_.Get(), 1);
    });
  }

  void NoteHelperDone() {
    eventfd_t count = 0;
    eventfd_read(helper_done_.Get(), &count);
    helper_ = {};
    EXPECT_EQ(helper_error_, 0);
    if (helper_error_ == 0) rotated_ = rotating_;
    ReplyRotated(helper_error_);
  }

  // To whoever asked last and waits.
  void ReplyRotated(int error) {
    if (is_asked_) Send(socket_.Get(), {.said = Said::kRotated, .error = error});
    is_asked_ = false;
  }

  std::string mountpoint_;
  UniqueFd device_;
  UniqueFd root_;
  UniqueFd state_;
  std::unique_ptr<Journal> journal_;
  std::uint64_t device_number_ = 0;
  pid_t agent_ = -1;
  UniqueFd socket_;

  std::uint32_t number_ = 1;
  std::uint32_t stored_number_ = 1;
  std::ptrdiff_t stored_count_ = 0;
  std::atomic<std::uint32_t> acknowledged_{1};

  const UniqueFd helper_done_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  bool is_asked_ = false;
  std::uint64_t rotating_ = 0;
  std::uint64_t rotated_ = 0;
  int helper_error_ = 0;
  std::jthread helper_;
};

TEST_P(TakeoverTest, NoReaderNoticesThatAgentsAreKilled) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  Watcher watcher;
  // Both, because two events that are the same are given as one.
  watcher.Watch(mountpoint_, IN_MOVED_FROM | IN_MOVED_TO);
  KillAgent();
  std::ptrdiff_t seen = 0;
  const auto note_what_was_seen = [&] {
    const std::vector<std::string> events = watcher.Events();
    seen += std::ranges::count(events, "MOVED_TO ..data");
  };
  Readers readers(mountpoint_, acknowledged_);
  std::minstd_rand random(std::random_device{}());
  std::uniform_int_distribution<long> life(0, kLongestLife.count() * 1000);
  int inside = 0;  // of a rotation
  for (int kills = 0; kills < kKills; ++kills) {
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    // Some die before they serve, some while they rotate; every third gets the time to do both.
    if (kills % 3 == 0) {
      EXPECT_TRUE(Keep(steady_clock::now() + kDeadline, true, Said::kReady));
    }
    Keep(steady_clock::now() + std::chrono::microseconds(life(random)), true, Said::kPublish);
    inside += helper_.joinable() ? 1 : 0;
    KillAgent();
    is_asked_ = false;
    note_what_was_seen();
  }
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  EXPECT_TRUE(Keep(steady_clock::now() + kDeadline, false, Said::kReady));
  EXPECT_TRUE(readers.Stop()) << "a reader hangs";
  EXPECT_EQ(readers.Seen().Failures(), "");
  EXPECT_GT(readers.Seen().Operations(), 500u);

  // Each rotation was seen; those that were repeated, more often.
  note_what_was_seen();
  EXPECT_GE(seen, stored_count_);
  EXPECT_GT(inside, 0);
  EXPECT_GT(stored_count_, kKills / 8);
  EXPECT_EQ(*ReadPath(mountpoint_ + "/first"), ValueOf(stored_number_));
  std::vector<std::string> names = ListOf(mountpoint_);
  EXPECT_EQ(names.size(), 8u);
  for (const FileSpec& file : NumberedSpec(stored_number_).files) {
    EXPECT_EQ(*ReadPath(mountpoint_ + "/" + file.path), ValueOf(stored_number_)) << file.path;
  }
  for (int i = 0; i < 3; ++i) {
    const std::string name = "some" + std::to_string(i);
    EXPECT_EQ(StatOf(mountpoint_ + "/" + name).has_value(),
              stored_number_ % 3 == static_cast<std::uint32_t>(i));
  }
  std::printf(
      "%s: %d kills, %d inside a rotation; %td rotations, %td renames seen, %llu operations, worst "
      "stall %lld ms\n",
      GetParam().name, kKills, inside, stored_count_, seen,
      static_cast<unsigned long long>(readers.Seen().Operations()),
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
