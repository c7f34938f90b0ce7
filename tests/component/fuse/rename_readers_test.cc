// What readers see of rotations made by a helper's renames.

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <thread>

#include "tests/component/fuse/rename_fixture.h"
#include "tests/component/fuse/watcher.h"

namespace escagent::fuse {
namespace {

constexpr int kRotations = 500;

class RenameReadersTest : public RenameTest {};

INSTANTIATE_TEST_SUITE_P(Profiles, RenameReadersTest,
                         ::testing::Values(CacheProfile::kNone, CacheProfile::kPage,
                                           CacheProfile::kFull),
                         ProfileName);

TEST_P(RenameReadersTest, SubPathFilesServeTheNewBytesAtTheirNextOpen) {
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

TEST_P(RenameReadersTest, ReadersOfAnOpenFolderSeeOneGeneration) {
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

TEST_P(RenameReadersTest, AFileThatIsHeldOpenKeepsItsBytesThroughTakeovers) {
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

TEST_P(RenameReadersTest, NoReaderOfManyRotationsFailsOrSeesAMixture) {
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
  // Some time after a rotation, as its grace wants it: readers may be slow.
  constexpr std::uint64_t kGrace = 50;
  for (int i = 1; i <= kRotations; ++i) {
    const Rotation rotation = Prepare(spec(i));
    EXPECT_EQ(HelperFor(rotation).Run(), 0);
    Tree().FinishRotation();
    shown = i;
    const std::uint64_t before = rotation.previous->Number();
    // As FuseVolume does.
    session_->Settle(GetParam() == CacheProfile::kFull ? before - kGrace : before + 1);
    session_->Expire(before - kGrace);
    seen += watcher.Events().size();
  }
  stopping = true;
  readers.clear();
  session_->Settle(Tree().CurrentNumber());
  session_->Expire(Tree().CurrentNumber());
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(reads, kRotations);
  EXPECT_EQ(seen, std::size_t{kRotations});
  EXPECT_LE(Tree().Retained().size(), 3u);
}

}  // namespace
}  // namespace escagent::fuse
