// Rotations made by a helper's renames through a private mount, as esc-keeper makes them.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tests/component/fuse/rename_fixture.h"
#include "tests/component/fuse/watcher.h"

namespace escagent::fuse {
namespace {

using ::testing::ElementsAre;

INSTANTIATE_TEST_SUITE_P(Profiles, RenameTest,
                         ::testing::Values(CacheProfile::kNone, CacheProfile::kPage,
                                           CacheProfile::kFull),
                         ProfileName);

TEST_P(RenameTest, WatchersSeeWhatKubeletsAtomicWriterDoes) {
  Start(SpecOf({{"gone", "1"}, {"key", "1"}}));
  Watcher watcher;
  watcher.Watch(pod_, IN_CREATE | IN_DELETE | IN_MOVE);
  watcher.Watch(Path("key"), IN_ALL_EVENTS & ~(IN_OPEN | IN_ACCESS | IN_CLOSE), "file ");
  const Rotation rotation = Rotate(SpecOf({{"key", "2"}, {"new", "2"}}));
  EXPECT_THAT(watcher.Events(),
              ElementsAre("CREATE " + rotation.current->FolderName(), "CREATE ..data_tmp",
                          "MOVED_FROM ..data_tmp", "MOVED_TO ..data", "CREATE new", "DELETE gone",
                          "file ATTRIB"));
  EXPECT_EQ(*ReadPath(Path("key")), "2");
  EXPECT_EQ(*ReadPath(Path("new")), "2");
  EXPECT_EQ(StatOf(Path("gone")).error(), ENOENT);
  EXPECT_EQ(*LinkTarget(Path("..data")), rotation.current->FolderName());
  EXPECT_EQ(ListOf(pod_), (std::vector<std::string>{".", "..", rotation.current->FolderName(),
                                                    "..data", "key", "new"}));
}

TEST_P(RenameTest, EachStepShowsWhatItDid) {
  Start(SpecOf({{"gone", "1"}, {"key", "1"}}));
  const Rotation rotation = Prepare(SpecOf({{"d/new", "2"}, {"key", "2"}}));
  const RenameHelper helper = HelperFor(rotation);
  const std::string folder = Path(rotation.current->FolderName());
  EXPECT_EQ(StatOf(folder).error(), ENOENT);
  ASSERT_EQ(helper.MakeFolder(), 0);
  EXPECT_EQ(ListOf(folder), (std::vector<std::string>{".", "..", "d", "key"}));
  EXPECT_EQ(*ReadPath(folder + "/d/new"), "2");
  EXPECT_EQ(StatOf(Path("..data_tmp")).error(), ENOENT);
  ASSERT_EQ(helper.MakeLink(), 0);
  EXPECT_EQ(*LinkTarget(Path("..data_tmp")), rotation.current->FolderName());
  EXPECT_EQ(*ReadPath(Path("key")), "1");
  EXPECT_EQ(*ReadPath(Path("gone")), "1");

  ASSERT_EQ(helper.Rename(), 0);
  EXPECT_EQ(StatOf(Path("..data_tmp")).error(), ENOENT);
  EXPECT_EQ(*LinkTarget(Path("..data")), rotation.current->FolderName());
  EXPECT_EQ(*ReadPath(Path("key")), "2");
  EXPECT_EQ(ReadPath(Path("gone")).error(), ENOENT);
  EXPECT_EQ(*LinkTarget(Path("gone")), "..data/gone");
  EXPECT_EQ(StatOf(Path("d")).error(), ENOENT);
  ASSERT_EQ(helper.AddKeys(), 0);
  EXPECT_EQ(*ReadPath(Path("d/new")), "2");
  ASSERT_EQ(helper.RemoveKeys(), 0);
  EXPECT_EQ(StatOf(Path("gone")).error(), ENOENT);
  EXPECT_EQ(helper.Touch(), 0);
  EXPECT_EQ(*ReadPath(folder.substr(0, folder.rfind('/')) + "/" + rotation.previous->FolderName() +
                      "/key"),
            "1");
  Finish(rotation);
}

TEST_P(RenameTest, EveryStepCanBeRepeated) {
  Start(SpecOf({{"gone", "1"}, {"key", "1"}}));
  const Rotation rotation = Prepare(SpecOf({{"key", "2"}, {"new", "2"}}));
  const RenameHelper helper = HelperFor(rotation);
  for (const auto& step : helper.Steps()) {
    EXPECT_EQ(step(), 0);
    EXPECT_EQ(helper.MakeLink(), 0);
    EXPECT_EQ(helper.MakeLink(), 0);
    EXPECT_EQ(helper.MakeFolder(), 0);
  }
  EXPECT_EQ(helper.Run(), 0);
  Finish(rotation);
  EXPECT_EQ(helper.Run(), 0);
  EXPECT_EQ(*ReadPath(Path("key")), "2");
  EXPECT_EQ(*ReadPath(Path("new")), "2");
  EXPECT_EQ(StatOf(Path("gone")).error(), ENOENT);
  EXPECT_EQ(StatOf(Path("..data_tmp")).error(), ENOENT);
}

// The helper is refused or dies: the agent goes on without it.
TEST_P(RenameTest, ARotationGivenUpAnywhereEndsInTheRightView) {
  Start(SpecOf({{"key", "start"}}));
  for (std::size_t done = 0; done <= 6; ++done) {
    const std::string number = std::to_string(done);
    const Rotation rotation = Prepare(SpecOf({{"key", number}, {"only" + number, "x"}}));
    const RenameHelper helper = HelperFor(rotation);
    const auto steps = helper.Steps();
    for (std::size_t i = 0; i < done; ++i) ASSERT_EQ(steps[i](), 0) << i;
    Tree().Commit();
    session_->Announce(rotation);
    Finish(rotation);
    EXPECT_EQ(*ReadPath(Path("key")), number);
    EXPECT_EQ(*ReadPath(Path("only" + number)), "x");
    EXPECT_EQ(StatOf(Path("only" + std::to_string(done - 1))).error(), ENOENT);
    EXPECT_EQ(*LinkTarget(Path("..data")), rotation.current->FolderName());
    // As does the helper that was late, and the one of the next rotation.
    EXPECT_EQ(HelperFor(rotation).Run(), 0);
    Rotate(SpecOf({{"key", "again " + number}, {"only" + number, "x"}}));
    EXPECT_EQ(*ReadPath(Path("key")), "again " + number);
    EXPECT_EQ(StatOf(Path("..data_tmp")).error(), ENOENT);
  }
}

// As after a crash: the successor shows the generation, and readers have found it, before the
// helper comes to its rename.
TEST_P(RenameTest, WatchersSeeARotationThatIsShownAlready) {
  Start(SpecOf({{"key", "1"}}));
  const Rotation rotation = Prepare(SpecOf({{"key", "2"}}));
  Tree().Commit();
  session_->Announce(rotation);
  EXPECT_EQ(*ReadPath(Path("key")), "2");
  for (int i = 0; i < 2; ++i) {
    Watcher watcher;
    watcher.Watch(pod_, IN_MOVED_TO);
    EXPECT_EQ(HelperFor(rotation).Run(), 0);
    EXPECT_THAT(watcher.Events(), ElementsAre("MOVED_TO ..data"));
    EXPECT_EQ(*ReadPath(Path("key")), "2");
  }
  Finish(rotation);
}

// A link to another generation than the one that is about to be shown is not renamed.
TEST_P(RenameTest, AHelperThatIsLateDoesNotTurnBack) {
  Start(SpecOf({{"key", "1"}}));
  const Rotation late = Prepare(SpecOf({{"key", "2"}}));
  const RenameHelper helper = HelperFor(late);
  ASSERT_EQ(helper.MakeFolder(), 0);
  ASSERT_EQ(helper.MakeLink(), 0);
  Tree().Commit();
  session_->Announce(late);
  Finish(late);
  const Rotation next = Prepare(SpecOf({{"key", "3"}}));
  Tree().Commit();
  session_->Announce(next);
  Finish(next);
  EXPECT_EQ(helper.Rename(), EROFS);
  EXPECT_EQ(helper.MakeLink(), EROFS);
  EXPECT_EQ(*ReadPath(Path("key")), "3");
  EXPECT_EQ(*LinkTarget(Path("..data")), next.current->FolderName());
}

int ErrnoOfRename(int result) { return result == 0 ? 0 : errno; }

// The pod's side made writable, with all that a helper may do just now going on.
TEST_P(RenameTest, EverythingElseIsRefused) {
  Start(SpecOf({{"gone", "1"}, {"key", "1"}}));
  const Rotation rotation = Prepare(SpecOf({{"key", "2"}, {"new", "2"}}));
  const RenameHelper helper = HelperFor(rotation);
  const std::string next = rotation.current->FolderName();
  EXPECT_EQ(ErrnoOfRename(mkdir(Path(next).c_str(), 0755)), EROFS);
  ASSERT_EQ(mount(nullptr, pod_.c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr), 0) << errno;
  const auto refuses_the_rest = [&] {
    for (const char* name : {"x", "..data_x", "..1", "..99999999999"}) {
      EXPECT_EQ(ErrnoOfRename(mkdir(Path(name).c_str(), 0755)), EROFS) << name;
      EXPECT_EQ(ErrnoOfRename(symlink(next.c_str(), Path(name).c_str())), EROFS) << name;
      EXPECT_EQ(ErrnoOfRename(symlink("..data/key", Path(name).c_str())), EROFS) << name;
      EXPECT_EQ(ErrnoOfRename(rename(Path("..data").c_str(), Path(name).c_str())), EROFS) << name;
      EXPECT_EQ(ErrnoOfRename(rename(Path("key").c_str(), Path(name).c_str())), EROFS) << name;
    }
    EXPECT_EQ(ErrnoOfRename(rename(Path("key").c_str(), Path("..data").c_str())), EROFS);
    EXPECT_EQ(ErrnoOfRename(mkdir(Path("..data/x").c_str(), 0755)), EROFS);
    EXPECT_EQ(ErrnoOfRename(symlink("..data/x", Path("..data/x").c_str())), EROFS);
    EXPECT_EQ(ErrnoOfRename(rmdir(Path(*LinkTarget(Path("..data"))).c_str())), EROFS);
    for (const char* name : {"key", "..data", "..data/key"}) {
      EXPECT_EQ(ErrnoOfRename(unlink(Path(name).c_str())), EROFS) << name;
    }
    EXPECT_EQ(ErrnoOfRename(chmod(Path("key").c_str(), 0777)), EROFS);
    EXPECT_EQ(ErrnoOfRename(chown(Path("key").c_str(), 1, 1)), EROFS);
    EXPECT_EQ(ErrnoOfRename(truncate(Path("key").c_str(), 0)), EROFS);
    EXPECT_EQ(ErrnoOfRename(utimensat(AT_FDCWD, Path("key").c_str(), nullptr, 0)), EROFS);
    EXPECT_EQ(OpenAt(AT_FDCWD, Path("y"), O_CREAT | O_WRONLY).error(), EROFS);
  };
  refuses_the_rest();
  EXPECT_EQ(ErrnoOfRename(symlink("..data/new", Path("new").c_str())), EROFS) << "not its turn";
  EXPECT_EQ(ErrnoOfRename(unlink(Path("gone").c_str())), EROFS) << "not its turn";
  ASSERT_EQ(helper.MakeFolder(), 0);
  EXPECT_EQ(ErrnoOfRename(mkdir(Path(next + "/x").c_str(), 0755)), EROFS);
  EXPECT_EQ(ErrnoOfRename(rmdir(Path(next).c_str())), EROFS);
  EXPECT_EQ(ErrnoOfRename(symlink("elsewhere", Path("..data_tmp").c_str())), EROFS);
  ASSERT_EQ(helper.MakeLink(), 0);
  refuses_the_rest();
  EXPECT_EQ(ErrnoOfRename(rename(Path("..data_tmp").c_str(), Path("z").c_str())), EROFS);
  ASSERT_EQ(helper.Rename(), 0);
  EXPECT_EQ(ErrnoOfRename(symlink("..data/other", Path("new").c_str())), EROFS);
  refuses_the_rest();
  const std::string old_key = Path(rotation.previous->FolderName() + "/key");
  EXPECT_EQ(ErrnoOfRename(chmod(old_key.c_str(), 0777)), EROFS);
  EXPECT_EQ(ErrnoOfRename(truncate(old_key.c_str(), 0)), EROFS);
  EXPECT_EQ(ErrnoOfRename(unlink(old_key.c_str())), EROFS);
  ASSERT_EQ(helper.Run(), 0);
  Finish(rotation);
  refuses_the_rest();
  EXPECT_EQ(*ReadPath(Path("key")), "2");
  EXPECT_EQ(ListOf(pod_), (std::vector<std::string>{".", "..", next, "..data", "key", "new"}));
}

TEST_P(RenameTest, NobodyButRootIsTheHelper) {
  VolumeSpec spec = SpecOf({{"key", "1"}});
  spec.folder_mode = 0777;
  Start(spec);
  spec.files[0].content = Bytes("2");
  const Rotation rotation = Prepare(spec);
  ASSERT_EQ(chmod(Folder().c_str(), 0755), 0);
  const pid_t child = fork();
  if (child == 0) {
    const bool is_other = setgid(65534) == 0 && setuid(65534) == 0;
    const int root = mounts_.root.Get();
    const bool refused =
        ErrnoOfRename(mkdirat(root, rotation.current->FolderName().c_str(), 0755)) == EROFS &&
        ErrnoOfRename(symlinkat(rotation.current->FolderName().c_str(), root, "..data_tmp")) ==
            EROFS;
    _exit(is_other && refused ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(HelperFor(rotation).Run(), 0);
  Finish(rotation);
  EXPECT_EQ(*ReadPath(Path("key")), "2");
}

}  // namespace
}  // namespace escagent::fuse
