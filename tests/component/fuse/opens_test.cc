// What is told of the files that pods open.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "tests/component/fuse/mount_fixture.h"

namespace escagent::fuse {
namespace {

class OpensTest : public MountTest {
 protected:
  std::unique_ptr<FuseMounter> NewListeningMounter() {
    FuseMounter::Options options;
    options.open_listener = [this](std::string_view metadata) -> OpenListener {
      return [this, metadata = std::string(metadata)](const FileOpen& open) {
        MutexLock lock(mutex_);
        metadata_.push_back(metadata);
        opens_.push_back(open);
      };
    };
    return NewMounter(std::move(options));
  }

  std::unique_ptr<MountedVolume> MountAt(FuseMounter& mounter, const std::string& root,
                                         const VolumeSpec& spec, CacheProfile cache) {
    MountOptions options;
    options.mountpoint = root;
    options.cache = cache;
    options.metadata = "pod 1";
    auto volume = mounter.Mount(options, spec);
    EXPECT_TRUE(volume) << volume.error().message;
    return *std::move(volume);
  }

  std::vector<FileOpen> Opens() {
    MutexLock lock(mutex_);
    return opens_;
  }

  Mutex mutex_;
  std::vector<std::string> metadata_ GUARDED_BY(mutex_);
  std::vector<FileOpen> opens_ GUARDED_BY(mutex_);
};

VolumeSpec Revision(const std::string& revision, const std::string& value) {
  VolumeSpec spec = SpecOf({{"app/key", value}});
  spec.revision = revision;
  return spec;
}

TEST_F(OpensTest, EveryOpenIsToldBeforeItReturns) {
  const auto mounter = NewListeningMounter();
  for (const CacheProfile cache : {CacheProfile::kNone, CacheProfile::kPage}) {
    const std::string root = NewFolder(cache == CacheProfile::kNone ? "none" : "page");
    const auto volume = MountAt(*mounter, root, Revision("7", "x"), cache);
    const std::size_t before = Opens().size();
    ASSERT_TRUE(ReadPath(root + "/app/key"));
    ASSERT_TRUE(ReadPath(root + "/app/key"));
    ASSERT_EQ(Opens().size(), before + 2);
    const FileOpen open = Opens().back();
    EXPECT_EQ(open.file.path, "app/key");
    EXPECT_EQ(open.file.revision, "7");
    EXPECT_FALSE(open.file.withheld);
    EXPECT_EQ(open.uid, geteuid());
    EXPECT_EQ(open.gid, getegid());
    EXPECT_EQ(open.pid, getpid());
    EXPECT_EQ(open.error, 0);
    EXPECT_TRUE(volume->Unmount());
  }
  MutexLock lock(mutex_);
  EXPECT_THAT(metadata_, ::testing::Each("pod 1"));
}

TEST_F(OpensTest, TheRevisionIsThatOfTheBytes) {
  const std::string root = NewFolder("volume");
  const auto mounter = NewListeningMounter();
  const auto volume = MountAt(*mounter, root, Revision("7", "x"), CacheProfile::kPage);
  VolumeSpec next = Revision("8", "");
  next.withheld = true;
  ASSERT_TRUE(volume->Publish(next));
  ASSERT_TRUE(ReadPath(root + "/app/key"));
  EXPECT_EQ(Opens().back().file.revision, "8");
  EXPECT_TRUE(Opens().back().file.withheld);
  EXPECT_TRUE(volume->Unmount());
}

TEST_F(OpensTest, LookingIsNotOpening) {
  const std::string root = NewFolder("volume");
  const auto mounter = NewListeningMounter();
  const auto volume = MountAt(*mounter, root, Revision("7", "x"), CacheProfile::kNone);
  EXPECT_FALSE(ListOf(root + "/app").empty());
  EXPECT_TRUE(StatOf(root + "/..data/app/key"));
  EXPECT_TRUE(Opens().empty());
  EXPECT_TRUE(volume->Unmount());
}

}  // namespace
}  // namespace escagent::fuse
