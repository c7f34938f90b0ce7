#include "fuse/open_folders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace escagent::fuse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class OpenFoldersTest : public ::testing::Test {
 protected:
  std::array<OpenFolders::Note, 500> notes_{};
  OpenFolders folders_{notes_};
};

TEST_F(OpenFoldersTest, KnowsWhatIsOpenAndNotYetClosed) {
  folders_.Add(7, 100);
  folders_.Add(7, 100);
  folders_.Add(7, 101);
  folders_.Add(8, 200);
  EXPECT_THAT(folders_.Generations(7), UnorderedElementsAre(100U, 101U));
  folders_.Remove(7, 100);
  EXPECT_THAT(folders_.Generations(7), UnorderedElementsAre(100U, 101U));
  folders_.Remove(7, 100);
  folders_.Remove(7, 100);
  EXPECT_THAT(folders_.Generations(7), ElementsAre(101U));
  EXPECT_THAT(folders_.Generations(8), ElementsAre(200U));
}

TEST_F(OpenFoldersTest, ASuccessorFindsThem) {
  folders_.Add(7, 100);
  EXPECT_THAT(OpenFolders(notes_).Generations(7), ElementsAre(100U));
}

TEST_F(OpenFoldersTest, GivesUpOldGenerationsAndGoneSessions) {
  for (const std::uint64_t generation : {100U, 101U, 101U, 102U}) folders_.Add(7, generation);
  folders_.Add(8, 100);
  folders_.RemoveBefore(7, 102);
  EXPECT_THAT(folders_.Generations(7), ElementsAre(102U));
  EXPECT_THAT(folders_.Generations(8), ElementsAre(100U));
  folders_.Keep({7});
  EXPECT_THAT(folders_.Generations(7), ElementsAre(102U));
  EXPECT_THAT(folders_.Generations(8), IsEmpty());
}

TEST_F(OpenFoldersTest, WhatHasNoRoomIsNotNoted) {
  for (std::uint64_t generation = 1; generation <= 1000; ++generation) {
    folders_.Add(7, generation);
  }
  const std::size_t noted = folders_.Generations(7).size();
  EXPECT_LT(noted, 100U);
  folders_.RemoveBefore(7, 2000);
  EXPECT_THAT(folders_.Generations(7), IsEmpty());
  folders_.Add(7, 5);
  EXPECT_THAT(folders_.Generations(7), ElementsAre(5U));
}

TEST_F(OpenFoldersTest, ManyThreadsLeaveNothingBehind) {
  std::vector<std::jthread> threads;
  for (std::uint64_t thread = 1; thread <= 4; ++thread) {
    threads.emplace_back([this, thread] {
      for (int i = 0; i < 2000; ++i) {
        folders_.Add(7 + thread % 2, 100);
        folders_.Remove(7 + thread % 2, 100);
      }
    });
  }
  threads.clear();
  EXPECT_THAT(folders_.Generations(7), IsEmpty());
  EXPECT_THAT(folders_.Generations(8), IsEmpty());
}

}  // namespace
}  // namespace escagent::fuse
