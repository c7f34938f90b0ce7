#include "esc/devserver/state_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "esc/devserver/definition_store.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/devserver/definition_folder.h"

// That nothing is lost: by a restart, by a kill, or by two that write at once.

namespace escagent::devserver {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class StateFolderTest : public ::testing::Test {
 protected:
  StateFolderTest() { EXPECT_TRUE(StateFolder::Prepare(StatePath())); }

  std::string StatePath() const { return folder_.path() + "/.esc-agent"; }
  std::string StateOf(const std::string& name) const {
    return StatePath() + "/environments/" + name;
  }
  std::unique_ptr<DefinitionStore> Open() const {
    return std::make_unique<DefinitionStore>(folder_.path(), clock_, StatePath());
  }

  // A process that runs `body` and ends; its id.
  static pid_t Fork(const std::function<void()>& body) {
    const pid_t child = fork();
    if (child == 0) {
      body();
      _exit(0);
    }
    return child;
  }

  const esc::EnvironmentRef ref_{"acme", "web", "dev", ""};
  escagent::testing::FakeClock clock_;
  const DefinitionFolder folder_;
};

Secret Text(const std::string& text) { return Secret(std::string_view(text)); }

TEST_F(StateFolderTest, ARestartLosesNothing) {
  folder_.Write("acme/web/dev", "one");
  std::string etag;
  {
    const auto store = Open();
    ASSERT_TRUE(store->Get(ref_));
    const auto second = store->Update(ref_, Text("two"), "", "anna");
    ASSERT_TRUE(second) << second.error().message;
    etag = second->etag;
    ASSERT_TRUE(store->Modify(
        ref_,
        [](EnvironmentState& state) -> Status {
          state.revision_tags["stable"] = {.revision = 1, .login = "anna"};
          state.tags["team"] = {.value = "ops"};
          state.webhooks["hook"] = {.url = "http://h",
                                    .filters = {"environment_revision_created"},
                                    .secret = std::make_shared<const Secret>(Text("s3cret"))};
          state.deletion_protected = true;
          state.rotations.push_back({{"id", "r"}});
          Retraction retraction{.replacement = 2, .login = "anna", .reason = "why"};
          state.revisions.front().retraction = retraction;
          return {};
        },
        {}));
  }
  const auto store = Open();
  const auto state = store->Describe(ref_);
  ASSERT_TRUE(state) << state.error().message;
  ASSERT_EQ((*state)->revisions.size(), 2u);
  EXPECT_EQ((*state)->revisions[0].text->Reveal(), "one");
  EXPECT_EQ((*state)->revisions[0].retraction->reason, "why");
  EXPECT_EQ((*state)->revisions[1].login, "anna");
  EXPECT_EQ((*state)->revisions[1].etag, etag);
  EXPECT_EQ((*state)->revisions[1].created, clock_.WallNow());
  EXPECT_EQ((*state)->NumberOf("stable"), 1);
  EXPECT_EQ((*state)->tags.at("team").value, "ops");
  EXPECT_EQ((*state)->webhooks.at("hook").secret->Reveal(), "s3cret");
  EXPECT_EQ((*state)->webhooks.at("hook").filters.size(), 1u);
  EXPECT_TRUE((*state)->deletion_protected);
  EXPECT_EQ((*state)->rotations.size(), 1u);
  // An edit while nobody served is a revision.
  folder_.Write("acme/web/dev", "three");
  EXPECT_EQ(Open()->Get(ref_)->number, 3);
}

TEST_F(StateFolderTest, IsForItsOwnerOnly) {
  folder_.Write("acme/web/dev", "one");
  ASSERT_TRUE(Open()->Get(ref_));
  for (const auto& entry : fs::recursive_directory_iterator(StatePath())) {
    struct stat status = {};
    ASSERT_EQ(stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 077, 0u) << entry.path();
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
  }
}

TEST_F(StateFolderTest, ForgetsTheTextsOfForgottenRevisions) {
  const auto store = Open();
  for (std::size_t i = 0; i <= EnvironmentState::kMaxRevisions; ++i) {
    folder_.Write("acme/web/dev", "text " + std::to_string(i));
    ASSERT_TRUE(store->Get(ref_));
    if (i == 1) {
      ASSERT_TRUE(store->Modify(ref_,
                                [](EnvironmentState& state) -> Status {
                                  state.revision_tags["kept"] = {.revision = 1};
                                  return {};
                                },
                                {}));
    }
  }
  EXPECT_TRUE(fs::exists(StateOf("acme/web/dev") + "/1.yaml"));
  EXPECT_FALSE(fs::exists(StateOf("acme/web/dev") + "/2.yaml"));
  EXPECT_EQ(Open()->Get({"acme", "web", "dev", "kept"})->text->Reveal(), "text 0");
}

TEST_F(StateFolderTest, ADeletedEnvironmentBeginsAnew) {
  folder_.Write("acme/web/dev", "one");
  const auto store = Open();
  ASSERT_TRUE(store->Update(ref_, Text("two"), ""));
  ASSERT_TRUE(store->Delete(ref_, "anna"));
  EXPECT_FALSE(fs::exists(folder_.FileOf("acme/web/dev")));
  EXPECT_FALSE(fs::exists(StateOf("acme/web/dev")));
  EXPECT_EQ(store->Get(ref_).error().code, Code::kNotFound);
  EnvironmentState state;
  state.Append(Secret(), "anna", clock_.WallNow());
  ASSERT_TRUE(store->Create(ref_, state, "anna"));
  EXPECT_EQ(store->Create(ref_, state, "anna").error().code, Code::kAlreadyExists);
  EXPECT_EQ(store->Get(ref_)->number, 1);
  EXPECT_EQ(Open()->Get(ref_)->number, 1);
}

TEST_F(StateFolderTest, TwoStoresSeeEachOther) {
  folder_.Write("acme/web/dev", "one");
  const auto first = Open();
  const auto second = Open();
  ASSERT_EQ(first->Get(ref_)->number, 1);
  const auto updated = second->Update(ref_, Text("two"), "");
  ASSERT_TRUE(updated);
  EXPECT_EQ(first->Get(ref_)->number, 2);
  EXPECT_EQ(first->Update(ref_, Text("lost"), "\"old\"").error().code, Code::kAborted);
  ASSERT_TRUE(first->Update(ref_, Text("three"), updated->etag));
  ASSERT_TRUE(first->Modify(ref_,
                            [](EnvironmentState& state) -> Status {
                              state.revision_tags["stable"] = {.revision = 2};
                              return {};
                            },
                            {}));
  EXPECT_EQ(second->Get({"acme", "web", "dev", "stable"})->text->Reveal(), "two");
  EXPECT_EQ(second->Get(ref_)->number, 3);
}

// Each adds lines to the text it has read; what another has written meanwhile is a conflict.
TEST_F(StateFolderTest, TwoProcessesLoseNothing) {
  constexpr int kWriters = 2;
  constexpr int kUpdates = 25;
  folder_.Write("acme/web/dev", "#\n");
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    children.push_back(Fork([&, writer] {
      const auto store = Open();
      for (int i = 0; i < kUpdates;) {
        const auto read = store->Get(ref_);
        if (!read) _exit(1);
        const std::string line = std::to_string(writer) + "." + std::to_string(i) + "\n";
        const auto written =
            store->Update(ref_, Text(std::string(read->text->Reveal()) + line), read->etag);
        if (!written && written.error().code != Code::kAborted) _exit(2);
        if (written) ++i;
      }
    }));
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const auto state = Open()->Describe(ref_);
  ASSERT_TRUE(state);
  EXPECT_EQ((*state)->revisions.size(), 1u + kWriters * kUpdates);
  const std::string text((*state)->revisions.back().text->Reveal());
  for (int writer = 0; writer < kWriters; ++writer) {
    for (int i = 0; i < kUpdates; ++i) {
      EXPECT_THAT(text, HasSubstr("\n" + std::to_string(writer) + "." + std::to_string(i) + "\n"));
    }
  }
}

// Killed at any moment: every file is whole, and what was answered is there.
TEST_F(StateFolderTest, AKillLosesNothingThatWasAnswered) {
  constexpr int kKills = 15;
  folder_.Write("acme/web/dev", "0");
  int answered = 0;
  for (int kill_number = 0; kill_number < kKills; ++kill_number) {
    std::array<int, 2> ends;
    ASSERT_EQ(pipe(ends.data()), 0);
    const UniqueFd answers(ends[0]);
    UniqueFd child_end(ends[1]);
    const pid_t child = Fork([&, first = answered + 1] {
      const auto store = Open();
      for (int i = first;; ++i) {
        if (!store->Update(ref_, Text(std::to_string(i)), "")) _exit(1);
        if (write(child_end.Get(), &i, sizeof i) != sizeof i) _exit(2);
      }
    });
    child_end.Reset();
    // Some way into the work, then in the middle of whatever it is doing.
    for (int i = 0; i <= kill_number; ++i) {
      ASSERT_EQ(read(answers.Get(), &answered, sizeof answered), ssize_t{sizeof answered});
    }
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    while (read(answers.Get(), &answered, sizeof answered) == ssize_t{sizeof answered}) {
    }
    const auto state = Open()->Describe(ref_);
    ASSERT_TRUE(state) << state.error().message;
    const std::vector<Revision>& revisions = (*state)->revisions;
    // The last one may have been written and not answered.
    const int last = std::stoi(std::string(revisions.back().text->Reveal()));
    ASSERT_TRUE(last == answered || last == answered + 1) << last << " " << answered;
    ASSERT_EQ(revisions.back().number, last + 1);
    for (const Revision& revision : revisions) {
      ASSERT_EQ(revision.text->Reveal(), std::to_string(revision.number - 1));
    }
    answered = last;
  }
}

TEST_F(StateFolderTest, SaysWhatToDoWithABrokenFile) {
  folder_.Write("acme/web/dev", "one");
  ASSERT_TRUE(Open()->Get(ref_));
  const std::string file = StateOf("acme/web/dev") + "/state.json";
  for (const char* text :
       {"", "{", "[]", R"({"revisions": 1})", R"({"revisions": [{"number": "1"}]})",
        R"({"revisions": [{"number": 7}]})", R"({"tags": {"x": []}})"}) {
    std::ofstream(file, std::ios::trunc) << text;
    const auto broken = Open()->Get(ref_);
    ASSERT_FALSE(broken) << text;
    EXPECT_EQ(broken.error().code, Code::kInternal);
    EXPECT_THAT(broken.error().message,
                HasSubstr("remove " + StateOf("acme/web/dev") + " to begin anew"));
  }
}

TEST_F(StateFolderTest, PrepareSaysWhyNot) {
  std::ofstream(folder_.path() + "/file") << "no folder";
  const Status prepared = StateFolder::Prepare(folder_.path() + "/file");
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(prepared.error().message, HasSubstr(folder_.path() + "/file"));
}

TEST(FolderLockTest, OneAtATime) {
  FolderLock lock("");
  int inside = 0;
  int worst = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 500; ++n) {
          const auto hold = lock.Take();
          worst = std::max(worst, ++inside);
          --inside;
        }
      });
    }
  }
  EXPECT_EQ(worst, 1);
}

}  // namespace
}  // namespace escagent::devserver
