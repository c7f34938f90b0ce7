// What readers see of a rotation.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "tests/component/fuse/mount_fixture.h"

namespace escagent::fuse {
namespace {

using ::testing::Contains;
using ::testing::Not;

class RotationTest : public ProfileTest {
 protected:
  // As kubelet does for a subPath: the file itself, found through the symlinks, bound elsewhere.
  std::string BindFile(const std::string& from, const std::string& name) const {
    std::string target = Folder() + "/" + name;
    std::ofstream(target).flush();
    EXPECT_EQ(mount(from.c_str(), target.c_str(), nullptr, MS_BIND, nullptr), 0) << errno;
    return target;
  }
};

INSTANTIATE_TEST_SUITE_P(Profiles, RotationTest,
                         ::testing::Values(CacheProfile::kNone, CacheProfile::kPage,
                                           CacheProfile::kFull),
                         ProfileName);

// The profile `full` has no opens to go by.
class OpenFileRotationTest : public RotationTest {};

INSTANTIATE_TEST_SUITE_P(Profiles, OpenFileRotationTest,
                         ::testing::Values(CacheProfile::kNone, CacheProfile::kPage), ProfileName);

TEST_P(RotationTest, ShowsAsSoonAsPublishReturns) {
  Start(SpecOf({{"key", "start"}, {"d/inner", "start"}}));
  for (int i = 0; i < 300; ++i) {
    const std::string value(static_cast<std::size_t>(1 + i % 7), static_cast<char>('a' + i % 26));
    Publish(SpecOf({{"key", value}, {"d/inner", value + value}}));
    ASSERT_EQ(ReadPath(Path("key")), value) << i;
    ASSERT_EQ(ReadPath(Path("d/inner")), value + value) << i;
    ASSERT_EQ(ReadPath(Path("..data/key")), value) << i;
    ASSERT_EQ(StatOf(Path("..data/key"))->st_size, static_cast<off_t>(value.size())) << i;
  }
}

TEST_P(RotationTest, KeysComeAndGo) {
  Start(SpecOf({{"stays", "1"}, {"goes", "1"}, {"turns", "file"}}));
  EXPECT_EQ(*ReadPath(Path("goes")), "1");
  EXPECT_EQ(*ReadPath(Path("turns")), "file");
  EXPECT_EQ(ReadPath(Path("comes")).error(), ENOENT);
  const std::string old_generation = *LinkTarget(Path("..data"));

  Publish(SpecOf({{"stays", "2"}, {"comes", "2"}, {"turns/into", "folder"}}));
  EXPECT_EQ(*ReadPath(Path("stays")), "2");
  EXPECT_EQ(*ReadPath(Path("comes")), "2");
  EXPECT_EQ(*ReadPath(Path("turns/into")), "folder");
  EXPECT_EQ(ReadPath(Path("goes")).error(), ENOENT);
  EXPECT_EQ(StatOf(Path("goes")).error(), ENOENT);
  const auto names = ListOf(mountpoint_);
  EXPECT_THAT(names, Contains("comes"));
  EXPECT_THAT(names, Not(Contains("goes")));
  EXPECT_THAT(names, Not(Contains(old_generation)));
  EXPECT_THAT(names, Contains(*LinkTarget(Path("..data"))));

  Publish(SpecOf({{"stays", "2"}, {"goes", "3"}, {"turns", "file again"}}));
  EXPECT_EQ(*ReadPath(Path("goes")), "3");
  EXPECT_EQ(*ReadPath(Path("turns")), "file again");
}

TEST_P(RotationTest, PublishingTheSameChangesNothing) {
  Start(SpecOf({{"key", "x"}}));
  const std::string generation = *LinkTarget(Path("..data"));
  Publish(SpecOf({{"key", "x"}}));
  EXPECT_EQ(*LinkTarget(Path("..data")), generation);
  Publish(SpecOf({{"key", "y"}}));
  EXPECT_NE(*LinkTarget(Path("..data")), generation);
}

TEST_P(RotationTest, ARefusedSpecChangesNothing) {
  Start(SpecOf({{"key", "x"}}));
  const Status refused = volume_->Publish(SpecOf({{"a/../b", "SECRET"}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("a/../b"));
  EXPECT_EQ(*ReadPath(Path("key")), "x");
}

TEST_P(RotationTest, OpenFilesKeepTheirBytes) {
  const std::string first(10'000, 'a');
  Start(SpecOf({{"key", first}}));
  const auto fd = OpenAt(AT_FDCWD, Path("key"), O_RDONLY);
  ASSERT_TRUE(fd);
  const auto read_again = [&fd] {
    lseek(fd->Get(), 0, SEEK_SET);
    return *ReadAll(*fd);
  };
  EXPECT_EQ(read_again(), first);
  for (const std::string& next : {std::string(20'000, 'b'), std::string("c"), std::string()}) {
    Publish(SpecOf({{"key", next}}));
    EXPECT_EQ(read_again(), first);
    EXPECT_EQ(*ReadPath(Path("key")), next);
    struct stat found = {};
    EXPECT_EQ(fstat(fd->Get(), &found), 0);
    EXPECT_EQ(found.st_size, 10'000);
  }
}

TEST_P(RotationTest, AFileOpenedButNotYetReadKeepsItsBytes) {
  Start(SpecOf({{"key", "before"}}));
  const auto fd = OpenAt(AT_FDCWD, Path("key"), O_RDONLY);
  ASSERT_TRUE(fd);
  Publish(SpecOf({{"key", "after, and longer"}}));
  EXPECT_EQ(*ReadAll(*fd), "before");
}

TEST_P(RotationTest, SubPathFilesFollow) {
  Start(SpecOf({{"key", "first"}}), std::chrono::milliseconds(50));
  const std::string bound = BindFile(Path("key"), "bound");
  EXPECT_EQ(*ReadPath(bound), "first");
  for (const std::string& value :
       {std::string("second, which is longer"), std::string("3"), std::string(9000, '4')}) {
    Publish(SpecOf({{"key", value}}));
    // Without opens the kernel only learns of it after a while.
    if (IsFull()) {
      EXPECT_TRUE(WaitFor([&] { return ReadPath(bound) == value; }));
    }
    EXPECT_EQ(*ReadPath(bound), value);
    EXPECT_EQ(StatOf(bound)->st_size, static_cast<off_t>(value.size()));
  }
  // A container that restarts binds the bound file again.
  const std::string again = BindFile(bound, "again");
  EXPECT_EQ(*ReadPath(again), std::string(9000, '4'));

  Publish(SpecOf({{"other", "x"}}));
  const auto gone = [&] { return ReadPath(bound); };
  EXPECT_TRUE(WaitFor([&] { return !gone(); }));
  EXPECT_EQ(gone().error(), ENOENT);
  Publish(SpecOf({{"key", "back"}}));
  EXPECT_TRUE(WaitFor([&] { return gone() == "back"; }));
  EXPECT_EQ(umount2(again.c_str(), MNT_DETACH), 0);
  EXPECT_EQ(umount2(bound.c_str(), MNT_DETACH), 0);
}

TEST_P(OpenFileRotationTest, ASubPathFileThatIsOpenKeepsItsBytes) {
  Start(SpecOf({{"key", "first"}}));
  const std::string bound = BindFile(Path("key"), "bound");
  Publish(SpecOf({{"key", "second"}}));
  const auto fd = OpenAt(AT_FDCWD, bound, O_RDONLY);
  ASSERT_TRUE(fd);
  Publish(SpecOf({{"key", "the third"}}));
  Publish(SpecOf({{"key", "the fourth one"}}));
  EXPECT_EQ(*ReadAll(*fd), "second");
  EXPECT_EQ(*ReadPath(bound), "the fourth one");
  EXPECT_EQ(umount2(bound.c_str(), MNT_DETACH), 0);
}

TEST_P(OpenFileRotationTest, OldAndNewReadersOfOneRetiredFileDoNotMix) {
  const std::string first(9000, '1');
  const std::string second(12'000, '2');
  Start(SpecOf({{"key", first}}));
  const std::string bound = BindFile(Path("key"), "bound");
  const auto old_reader = OpenAt(AT_FDCWD, bound, O_RDONLY);
  ASSERT_TRUE(old_reader);
  Publish(SpecOf({{"key", second}}));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(*ReadPath(bound), second);
    lseek(old_reader->Get(), 0, SEEK_SET);
    EXPECT_EQ(*ReadAll(*old_reader), first);
  }
  EXPECT_EQ(umount2(bound.c_str(), MNT_DETACH), 0);
}

TEST_P(RotationTest, AnOpenFolderShowsOneGeneration) {
  Start(SpecOf({{"cert", "1"}, {"key", "1"}}));
  EXPECT_EQ(*ReadPath(Path("cert")), "1");
  EXPECT_EQ(*ReadPath(Path("key")), "1");
  const auto folder = OpenAt(AT_FDCWD, Path("..data"), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(folder);
  EXPECT_EQ(*ReadAt(folder->Get(), "cert"), "1");
  Publish(SpecOf({{"cert", "2"}, {"key", "2"}}));
  EXPECT_EQ(*ReadAt(folder->Get(), "key"), "1");
  EXPECT_EQ(*ReadAt(folder->Get(), "cert"), "1");
  EXPECT_EQ(*ReadPath(Path("key")), "2");
  Publish(SpecOf({{"cert", "3"}, {"key", "3"}}));
  Publish(SpecOf({{"cert", "4"}, {"key", "4"}}));
  // The open folder keeps its generation, however many rotations later.
  EXPECT_EQ(*ReadAt(folder->Get(), "cert"), "1");
  EXPECT_EQ(*ReadAt(folder->Get(), "key"), "1");
}

}  // namespace
}  // namespace escagent::fuse
