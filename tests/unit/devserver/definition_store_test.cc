#include "esc/devserver/definition_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/fake_clock.h"
#include "tests/unit/devserver/definition_folder.h"

namespace escagent::devserver {
namespace {

using escagent::testing::FakeClock;

class DefinitionStoreTest : public ::testing::Test {
 protected:
  Result<Revision> Get(const std::string& name) {
    return store_.Get(*esc::EnvironmentRef::Parse(name));
  }
  int NumberOf(const std::string& name) {
    const auto revision = Get(name);
    return revision ? revision->number : -1;
  }
  std::string TextOf(const std::string& name) {
    const auto revision = Get(name);
    return revision ? std::string(revision->text->Reveal()) : revision.error().ToString();
  }

  DefinitionFolder folder_;
  FakeClock clock_;
  DefinitionStore store_{folder_.path(), clock_};
};

TEST_F(DefinitionStoreTest, EveryChangeOfTheTextIsARevision) {
  folder_.Write("acme/web/dev", "values: {a: 1}");
  EXPECT_EQ(NumberOf("acme/web/dev"), 1);
  EXPECT_EQ(NumberOf("acme/web/dev"), 1);
  folder_.Write("acme/web/dev", "values: {a: 2}");  // same size, maybe same time
  EXPECT_EQ(NumberOf("acme/web/dev"), 2);
  folder_.Write("acme/web/dev", "values: {a: 2}");
  EXPECT_EQ(NumberOf("acme/web/dev"), 2);
  folder_.Write("acme/web/dev", "values: {a: 1}");
  EXPECT_EQ(NumberOf("acme/web/dev"), 3);
}

TEST_F(DefinitionStoreTest, EarlierRevisionsStay) {
  folder_.Write("acme/web/dev", "one");
  ASSERT_EQ(NumberOf("acme/web/dev"), 1);
  folder_.Write("acme/web/dev", "two");
  EXPECT_EQ(TextOf("acme/web/dev"), "two");
  EXPECT_EQ(TextOf("acme/web/dev@1"), "one");
  EXPECT_EQ(TextOf("acme/web/dev@2"), "two");
  EXPECT_EQ(TextOf("acme/web/dev@latest"), "two");
  EXPECT_EQ(TextOf("acme/web/dev@3"), "NOT_FOUND: environment 'acme/web/dev' has no version '3'");
  EXPECT_EQ(TextOf("acme/web/dev@1x"), "NOT_FOUND: environment 'acme/web/dev' has no version '1x'");
}

TEST_F(DefinitionStoreTest, EtagsFollowTheText) {
  folder_.Write("acme/web/dev", "one");
  const std::string first = Get("acme/web/dev")->etag;
  EXPECT_TRUE(first.starts_with("\"") && first.ends_with("\""));
  folder_.Write("acme/web/dev", "two");
  EXPECT_NE(Get("acme/web/dev")->etag, first);
  folder_.Write("acme/web/dev", "one");
  EXPECT_EQ(Get("acme/web/dev")->etag, first);
}

TEST_F(DefinitionStoreTest, MissingAndRemovedFilesAreNotFound) {
  EXPECT_EQ(TextOf("acme/web/dev"), "NOT_FOUND: environment 'acme/web/dev' not found");
  folder_.Write("acme/web/dev", "one");
  EXPECT_EQ(TextOf("acme/web/dev"), "one");
  folder_.Remove("acme/web/dev");
  EXPECT_EQ(TextOf("acme/web/dev"), "NOT_FOUND: environment 'acme/web/dev' not found");
  EXPECT_EQ(TextOf("acme/web/dev@1"), "NOT_FOUND: environment 'acme/web/dev' not found");
  folder_.Write("acme/web/dev", "two");
  EXPECT_EQ(NumberOf("acme/web/dev"), 2);
}

TEST_F(DefinitionStoreTest, NamesCannotLeaveTheFolder) {
  folder_.Write("acme/web/dev", "one");
  for (const esc::EnvironmentRef& ref :
       {esc::EnvironmentRef{"acme", "..", "dev", ""},
        esc::EnvironmentRef{"acme", "web/..", "x", ""},
        esc::EnvironmentRef{"..", "acme", "web", ""}, esc::EnvironmentRef{"acme", "web", "", ""}}) {
    const auto revision = store_.Get(ref);
    ASSERT_FALSE(revision) << ref.ToString();
    EXPECT_EQ(revision.error().code, Code::kInvalidArgument);
  }
}

TEST_F(DefinitionStoreTest, FileThatIsJustBeingWrittenKeepsItsText) {
  folder_.Write("acme/web/dev", "one");
  ASSERT_EQ(NumberOf("acme/web/dev"), 1);
  folder_.Write("acme/web/dev", "");
  EXPECT_EQ(TextOf("acme/web/dev"), "one");
  // An empty file that stays is an empty environment.
  std::filesystem::last_write_time(
      folder_.FileOf("acme/web/dev"),
      std::filesystem::file_time_type::clock::from_sys(clock_.WallNow()) - std::chrono::seconds(2));
  EXPECT_EQ(TextOf("acme/web/dev"), "");
  EXPECT_EQ(NumberOf("acme/web/dev"), 2);
}

TEST_F(DefinitionStoreTest, HistoryIsBounded) {
  for (std::size_t i = 0; i < EnvironmentState::kMaxRevisions + 5; ++i) {
    folder_.Write("acme/web/dev", "text " + std::to_string(i));
    ASSERT_EQ(NumberOf("acme/web/dev"), static_cast<int>(i) + 1);
  }
  const auto state = store_.Describe(*esc::EnvironmentRef::Parse("acme/web/dev"));
  ASSERT_TRUE(state);
  EXPECT_EQ((*state)->revisions.size(), EnvironmentState::kMaxRevisions);
  EXPECT_EQ((*state)->revisions.back().number,
            static_cast<int>(EnvironmentState::kMaxRevisions) + 5);
  EXPECT_EQ((*state)->revisions.front().number, 6);
}

TEST_F(DefinitionStoreTest, ListsWhatCanBeOpened) {
  folder_.Write("acme/web/dev", "");
  folder_.Write("acme/api/prod", "");
  folder_.Write("globex/web/dev", "");
  std::ofstream(folder_.path() + "/acme/web/notes.txt") << "no environment";
  const auto names = [&](std::string_view organization) {
    std::vector<std::string> out;
    for (const auto& entry : store_.List(organization)) {
      out.push_back(entry.ref.ToString());
    }
    return out;
  };
  EXPECT_THAT(names(""), ::testing::ElementsAre("acme/api/prod", "acme/web/dev", "globex/web/dev"));
  EXPECT_THAT(names("globex"), ::testing::ElementsAre("globex/web/dev"));
  EXPECT_THAT(store_.Organizations(), ::testing::ElementsAre("acme", "globex"));
}

TEST_F(DefinitionStoreTest, ReadersAtOnceNeverSeeRevisionsGoBack) {
  folder_.Write("acme/web/dev", "0");
  std::atomic<bool> done = false;
  std::atomic<int> went_back = 0;
  std::vector<std::jthread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      for (int last = 0, last_text = 0; !done;) {
        const auto revision = Get("acme/web/dev");
        if (!revision) continue;
        const int text = std::stoi(std::string(revision->text->Reveal()));
        if (revision->number < last || text < last_text) ++went_back;
        last = revision->number;
        last_text = text;
      }
    });
  }
  constexpr int kChanges = 500;
  for (int i = 1; i <= kChanges; ++i) {
    // By rename, as a half-written text would be a revision of its own.
    folder_.Write("acme/web/next", std::to_string(i));
    std::filesystem::rename(folder_.FileOf("acme/web/next"), folder_.FileOf("acme/web/dev"));
  }
  done = true;
  readers.clear();
  EXPECT_EQ(went_back, 0);
  EXPECT_EQ(TextOf("acme/web/dev"), std::to_string(kChanges));
  // Texts may be missed, but none is seen twice.
  EXPECT_LE(NumberOf("acme/web/dev"), kChanges + 1);
}

}  // namespace
}  // namespace escagent::devserver
