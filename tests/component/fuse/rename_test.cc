// Rotations made by a helper's renames through a private mount, as esc-keeper makes them.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <thread>

#include "fuse/event_loop.h"
#include "fuse/session.h"
#include "fuse/tree_codec.h"
#include "tests/component/fuse/mount_fixture.h"
#include "tests/component/fuse/rename_helper.h"
#include "tests/component/fuse/watcher.h"

namespace escagent::fuse {
namespace {

using ::testing::ElementsAre;

constexpr int kRotations = 500;
constexpr EventLoop::SessionId kSessionId = 7;

class RenameTest : public MountTest, public ::testing::WithParamInterface<CacheProfile> {
 protected:
  RenameTest() : pod_(NewFolder("volume")), mounts_(MountTwice(pod_)) {}
  ~RenameTest() override { umount2(pod_.c_str(), MNT_DETACH); }

  void Start(const VolumeSpec& spec) {
    const auto number = static_cast<std::uint64_t>(time(nullptr));
    session_ = *Session::Start(UniqueFd(fcntl(mounts_.device.Get(), F_DUPFD_CLOEXEC, 0)),
                               *SecretTree::Create(spec, number, std::chrono::system_clock::now()),
                               GetParam(), kDeadline);
    ASSERT_TRUE(loop_->Add(session_, kSessionId));
  }

  // Another process goes on with what it can know, and nothing else.
  void TakeOver() {
    const UniqueFd state =
        *EncodeTree({.tree = Tree().Save(), .cache = GetParam(), .init = session_->Init()});
    loop_->Remove(kSessionId);
    SavedVolume saved = *DecodeTree(state);
    session_ =
        *Session::Resume(UniqueFd(fcntl(mounts_.device.Get(), F_DUPFD_CLOEXEC, 0)),
                         *SecretTree::Restore(std::move(saved.tree)), GetParam(), saved.init);
    ASSERT_TRUE(loop_->Add(session_, kSessionId));
  }

  SecretTree& Tree() const { return session_->Tree(); }
  Rotation Prepare(const VolumeSpec& spec) const {
    return **Tree().Prepare(spec, std::chrono::system_clock::now());
  }
  RenameHelper HelperFor(const Rotation& rotation) const {
    return {mounts_.root.Get(), rotation.previous->Number(), rotation.current->Number()};
  }
  // What the agent does when the helper is done, but for giving up what is old.
  void Finish(const Rotation& rotation) const {
    Tree().FinishRotation();
    session_->Settle(rotation.current->Number());
  }
  Rotation Rotate(const VolumeSpec& spec) const {
    const Rotation rotation = Prepare(spec);
    EXPECT_EQ(HelperFor(rotation).Run(), 0);
    Finish(rotation);
    return rotation;
  }

  std::string Path(const std::string& name) const { return pod_ + "/" + name; }

  const std::string pod_;
  MountPair mounts_;
  std::shared_ptr<Session> session_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create(2);
};

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
    const auto steps = HelperFor(rotation).Steps();
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

int ErrnoOf(int result) { return result == 0 ? 0 : errno; }

// The pod's side made writable, with all that a helper may do just now going on.
TEST_P(RenameTest, EverythingElseIsRefused) {
  Start(SpecOf({{"gone", "1"}, {"key", "1"}}));
  const Rotation rotation = Prepare(SpecOf({{"key", "2"}, {"new", "2"}}));
  const RenameHelper helper = HelperFor(rotation);
  const std::string next = rotation.current->FolderName();
  EXPECT_EQ(ErrnoOf(mkdir(Path(next).c_str(), 0755)), EROFS);
  ASSERT_EQ(mount(nullptr, pod_.c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr), 0) << errno;
  const auto refuses_the_rest = [&] {
    for (const char* name : {"x", "..data_x", "..1", "..99999999999"}) {
      EXPECT_EQ(ErrnoOf(mkdir(Path(name).c_str(), 0755)), EROFS) << name;
      EXPECT_EQ(ErrnoOf(symlink(next.c_str(), Path(name).c_str())), EROFS) << name;
      EXPECT_EQ(ErrnoOf(symlink("..data/key", Path(name).c_str())), EROFS) << name;
      EXPECT_EQ(ErrnoOf(rename(Path("..data").c_str(), Path(name).c_str())), EROFS) << name;
      EXPECT_EQ(ErrnoOf(rename(Path("key").c_str(), Path(name).c_str())), EROFS) << name;
    }
    EXPECT_EQ(ErrnoOf(rename(Path("key").c_str(), Path("..data").c_str())), EROFS);
    EXPECT_EQ(ErrnoOf(mkdir(Path("..data/x").c_str(), 0755)), EROFS);
    EXPECT_EQ(ErrnoOf(symlink("..data/x", Path("..data/x").c_str())), EROFS);
    EXPECT_EQ(ErrnoOf(rmdir(Path(*LinkTarget(Path("..data"))).c_str())), EROFS);
    for (const char* name : {"key", "..data", "..data/key"}) {
      EXPECT_EQ(ErrnoOf(unlink(Path(name).c_str())), EROFS) << name;
    }
    EXPECT_EQ(ErrnoOf(chmod(Path("key").c_str(), 0777)), EROFS);
    EXPECT_EQ(ErrnoOf(chown(Path("key").c_str(), 1, 1)), EROFS);
    EXPECT_EQ(ErrnoOf(truncate(Path("key").c_str(), 0)), EROFS);
    EXPECT_EQ(ErrnoOf(utimensat(AT_FDCWD, Path("key").c_str(), nullptr, 0)), EROFS);
    EXPECT_EQ(OpenAt(AT_FDCWD, Path("y"), O_CREAT | O_WRONLY).error(), EROFS);
  };
  refuses_the_rest();
  EXPECT_EQ(ErrnoOf(symlink("..data/new", Path("new").c_str())), EROFS) << "not its turn";
  EXPECT_EQ(ErrnoOf(unlink(Path("gone").c_str())), EROFS) << "not its turn";
  ASSERT_EQ(helper.MakeFolder(), 0);
  EXPECT_EQ(ErrnoOf(mkdir(Path(next + "/x").c_str(), 0755)), EROFS);
  EXPECT_EQ(ErrnoOf(rmdir(Path(next).c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(symlink("elsewhere", Path("..data_tmp").c_str())), EROFS);
  ASSERT_EQ(helper.MakeLink(), 0);
  refuses_the_rest();
  EXPECT_EQ(ErrnoOf(rename(Path("..data_tmp").c_str(), Path("z").c_str())), EROFS);
  ASSERT_EQ(helper.Rename(), 0);
  EXPECT_EQ(ErrnoOf(symlink("..data/other", Path("new").c_str())), EROFS);
  refuses_the_rest();
  const std::string old_key = Path(rotation.previous->FolderName() + "/key");
  EXPECT_EQ(ErrnoOf(chmod(old_key.c_str(), 0777)), EROFS);
  EXPECT_EQ(ErrnoOf(truncate(old_key.c_str(), 0)), EROFS);
  EXPECT_EQ(ErrnoOf(unlink(old_key.c_str())), EROFS);
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
        ErrnoOf(mkdirat(root, rotation.current->FolderName().c_str(), 0755)) == EROFS &&
        ErrnoOf(symlinkat(rotation.current->FolderName().c_str(), root, "..data_tmp")) == EROFS;
    _exit(is_other && refused ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(HelperFor(rotation).Run(), 0);
  Finish(rotation);
  EXPECT_EQ(*ReadPath(Path("key")), "2");
}

TEST_P(RenameTest, SubPathFilesServeTheNewBytesAtTheirNextOpen) {
  Start(SpecOf({{"d/key", "first"}, {"key", "first"}}));
  std::vector<std::string> bound;
  for (const char* name : {"key", "d/key"}) {
    bound.push_back(Folder() + "/bound" + std::to_string(bound.size()));
    std::ofstream(bound.back()).flush();
    ASSERT_EQ(mount(Path(name).c_str(), bound.back().c_str(), nullptr, MS_BIND, nullptr), 0);
  }
  for (const std::string& value :
       {std::string("second, which is longer"), std::string("3"), std::string(9000, '4')}) {
    Watcher watcher;
    for (const std::string& path : bound) watcher.Watch(path, IN_ATTRIB);
    const Rotation rotation = Rotate(SpecOf({{"d/key", value}, {"key", value}}));
    for (const std::string& path : bound) {
      EXPECT_EQ(*ReadPath(path), value);
      EXPECT_EQ(StatOf(path)->st_size, static_cast<off_t>(value.size()));
    }
    session_->Expire(rotation.current->Number());
    for (const std::string& path : bound) EXPECT_EQ(*ReadPath(path), value);
  }
  // A container that restarts binds the bound file again.
  for (const std::string& path : bound) {
    EXPECT_EQ(mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr), 0) << errno;
    EXPECT_EQ(*ReadPath(path), std::string(9000, '4'));
    EXPECT_EQ(umount2(path.c_str(), MNT_DETACH), 0);
    EXPECT_EQ(umount2(path.c_str(), MNT_DETACH), 0);
  }
}

TEST_P(RenameTest, ReadersOfAnOpenFolderSeeOneGeneration) {
  Start(SpecOf({{"cert", "1"}, {"key", "1"}}));
  const auto folder = OpenAt(AT_FDCWD, Path("..data"), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(folder);
  EXPECT_EQ(*ReadAt(folder->Get(), "cert"), "1");
  for (const char* value : {"2", "3", "4"}) {
    const Rotation rotation = Rotate(SpecOf({{"cert", value}, {"key", value}}));
    EXPECT_EQ(*ReadAt(folder->Get(), "cert"), "1");
    EXPECT_EQ(*ReadAt(folder->Get(), "key"), "1");
    session_->Expire(rotation.current->Number());
    EXPECT_EQ(*ReadAt(folder->Get(), "cert"), "1");
    EXPECT_EQ(*ReadAt(folder->Get(), "key"), "1");
    EXPECT_EQ(*ReadPath(Path("key")), value);
  }
}

TEST_P(RenameTest, AFileThatIsHeldOpenKeepsItsBytesThroughTakeovers) {
  if (GetParam() == CacheProfile::kFull) GTEST_SKIP() << "has no opens to go by";
  const std::string first(10'000, 'a');
  Start(SpecOf({{"key", first}}));
  const std::string bound = Folder() + "/bound";
  std::ofstream(bound).flush();
  ASSERT_EQ(mount(Path("key").c_str(), bound.c_str(), nullptr, MS_BIND, nullptr), 0);
  const auto held = OpenAt(AT_FDCWD, Path("key"), O_RDONLY);
  ASSERT_TRUE(held);
  const auto read_again = [&held] {
    lseek(held->Get(), 0, SEEK_SET);
    return *ReadAll(*held);
  };
  EXPECT_EQ(read_again(), first);
  for (const std::string& next : {std::string(20'000, 'b'), std::string("c"), std::string()}) {
    TakeOver();
    const Rotation rotation = Rotate(SpecOf({{"key", next}}));
    EXPECT_EQ(read_again(), first);
    session_->Expire(rotation.current->Number());
    EXPECT_EQ(read_again(), first);
    EXPECT_EQ(StatOf(bound)->st_size, static_cast<off_t>(next.size()));
    EXPECT_EQ(*ReadPath(bound), next);
    EXPECT_EQ(read_again(), first);
    EXPECT_EQ(lseek(held->Get(), 0, SEEK_END), static_cast<off_t>(first.size()));
  }
  EXPECT_EQ(umount2(bound.c_str(), MNT_DETACH), 0);
}

TEST_P(RenameTest, NoReaderOfManyRotationsFailsOrSeesAMixture) {
  const auto spec = [](int number) {
    std::string value = std::to_string(number) + "\n";
    while (value.size() < 5000) value += value;
    return SpecOf({{"key", value}, {"d/other", value}, {"key" + std::to_string(number % 3), "x"}});
  };
  Start(spec(0));
  std::atomic<bool> stopping{false};
  std::atomic<int> shown{0};
  std::atomic<int> reads{0};
  std::atomic<int> failed{0};
  std::atomic<int> wrong{0};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 6; ++i) {
    readers.emplace_back([&, path = Path(i % 2 == 0 ? "key" : "d/other")] {
      while (!stopping) {
        const int least = shown;
        const auto bytes = ReadPath(path);
        ++reads;
        if (!bytes) {
          ++failed;
          continue;
        }
        const std::string line = bytes->substr(0, bytes->find('\n') + 1);
        std::string whole = line;
        while (whole.size() < 5000) whole += whole;
        if (*bytes != whole || std::stoi(line) < least) ++wrong;
      }
    });
  }
  readers.emplace_back([&] {
    while (!stopping) {
      for (const char* name : {"..data", "d", "key"}) {
        const std::vector<std::string> names = ListOf(pod_);
        if (StatOf(Path(name)) && std::ranges::find(names, name) != names.end()) continue;
        ++failed;
      }
    }
  });
  Watcher watcher;
  watcher.Watch(pod_, IN_MOVED_TO);
  std::size_t seen = 0;
  for (int i = 1; i <= kRotations; ++i) {
    const Rotation rotation = Rotate(spec(i));
    shown = i;
    session_->Expire(rotation.previous->Number());
    seen += watcher.Events().size();
  }
  stopping = true;
  readers.clear();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(reads, kRotations);
  EXPECT_EQ(seen, std::size_t{kRotations});
  EXPECT_LE(Tree().Retained().size(), 3u);
}

}  // namespace
}  // namespace escagent::fuse
