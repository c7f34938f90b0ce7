// A writer that dies before each one of its system calls.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <functional>

#include "tests/unit/fuse/atomic_writer_fixture.h"

namespace escagent::fuse {
namespace {

using ::testing::AnyOf;
using ::testing::Eq;

class AtomicWriterCrashTest : public AtomicWriterTest {
 protected:
  // Publishes in a child that dies before its `calls`th system call. True when it came to its end.
  // It makes the spec itself: the memory of a Secret is not inherited.
  bool PublishWithin(const std::function<VolumeSpec()>& make_spec, int calls) {
    const pid_t child = fork();
    if (child == 0) {
      const VolumeSpec spec = make_spec();
      AtomicWriter writer = NewWriter();
      if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(77);
      raise(SIGSTOP);
      _exit(writer.Publish(spec) ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
      std::fprintf(stderr, "skipped: ptrace is not permitted here\n");
      std::_Exit(77);
    }
    // Each call stops twice, when it begins and when it ends.
    for (int stops = 2 * calls - 1; stops > 0; --stops) {
      EXPECT_EQ(ptrace(PTRACE_SYSCALL, child, nullptr, nullptr), 0);
      EXPECT_EQ(waitpid(child, &status, 0), child);
      if (WIFEXITED(status)) {
        EXPECT_EQ(WEXITSTATUS(status), 0);
        return true;
      }
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return false;
  }
};

TEST_F(AtomicWriterCrashTest, LeavesTheOldOrTheNewStateAndIsRepaired) {
  const VolumeSpec before = OwnSpec({{"stays", "old"}, {"goes", "old"}, {"d/e/inner", "old"}});
  const auto make_after = [] {
    VolumeSpec spec = OwnSpec({{"stays", "new"}, {"comes", "new"}, {"d/e/inner", "new"}});
    spec.empty_folders = {{"empty"}};
    return spec;
  };
  const VolumeSpec after = make_after();
  const auto read_all = [this] {
    return Read("..data/stays") + Read("..data/d/e/inner") + Read("..data/goes") +
           Read("..data/comes");
  };
  const std::string old_state = "oldoldold(errno 2)";
  const std::string new_state = "newnew(errno 2)new";
  int deaths_before = 0;
  int deaths_after = 0;
  for (int calls = 1; calls < 2000; ++calls) {
    // A generation before, so that there is one to remove.
    ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"first", "1"}, {"d/first", "1"}})));
    ASSERT_TRUE(NewWriter().Publish(before));
    const bool finished = PublishWithin(make_after, calls);
    const std::string state = read_all();
    ASSERT_THAT(state, AnyOf(Eq(old_state), Eq(new_state))) << calls;
    ++(state == old_state ? deaths_before : deaths_after);
    // A key that is in both can be read all the time.
    EXPECT_EQ(Read("stays"), state == old_state ? "old" : "new");
    EXPECT_FALSE(NewWriter().Shows(state == old_state ? after : before)) << calls;

    const std::string shown = LinkOf("..data");
    // The next one either goes on with the new state or has to write it.
    const Status repaired = NewWriter().Publish(after);
    ASSERT_TRUE(repaired) << calls << ": " << repaired.error().message;
    EXPECT_EQ(LinkOf("..data") == shown, state == new_state) << calls;
    EXPECT_EQ(read_all(), new_state);
    EXPECT_TRUE(NewWriter().Shows(after));
    EXPECT_EQ(ListOf(""),
              (std::set<std::string>{"..data", ".." + std::to_string(Generations().front()),
                                     ".." + std::to_string(Generations().back()), "stays", "comes",
                                     "d", "empty"}))
        << calls;
    EXPECT_EQ(Generations().size(), 2U) << calls;
    EXPECT_EQ(ReadPath(Path(".." + std::to_string(Generations().front()) + "/goes")), "old");
    if (finished) {
      EXPECT_GT(deaths_before, 20);
      EXPECT_GT(deaths_after, 10);
      return;
    }
  }
  FAIL() << "the writer did not come to its end";
}

TEST_F(AtomicWriterCrashTest, TheSameWithNothingBefore) {
  const auto make_spec = [] { return OwnSpec({{"key", "1"}, {"d/inner", "2"}}); };
  const VolumeSpec spec = make_spec();
  for (int calls = 1; calls < 2000; ++calls) {
    ASSERT_EQ(chmod(root_.c_str(), 0700), 0);
    std::filesystem::remove_all(root_);
    ASSERT_EQ(mkdir(root_.c_str(), 0700), 0);
    const bool finished = PublishWithin(make_spec, calls);
    ASSERT_TRUE(NewWriter().Publish(spec)) << calls;
    EXPECT_TRUE(NewWriter().Shows(spec)) << calls;
    EXPECT_EQ(ListOf("").size(), 4U) << calls;
    if (finished) return;
  }
  FAIL() << "the writer did not come to its end";
}

}  // namespace
}  // namespace escagent::fuse
