// backend: tmpfs with real mounts.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "fuse/mount_info.h"
#include "fuse/mount_ops.h"
#include "fuse/tmpfs_mount.h"
#include "fuse/tmpfs_volume.h"
#include "tests/component/fuse/mount_fixture.h"

namespace escagent::fuse {
namespace {

using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kTmpfsSize = 1U << 20;
constexpr uid_t kNobody = 65534;

bool KernelHasNoSwap() {
  const UniqueFd file_system(fsopen("tmpfs", FSOPEN_CLOEXEC));
  return fsconfig(file_system.Get(), FSCONFIG_SET_FLAG, "noswap", nullptr, 0) == 0;
}

// One byte that a rotation changes, many times, so that a torn read shows.
std::string ValueOf(int rotation) {
  std::string value = std::to_string(rotation) + ":";
  value.append(9000, static_cast<char>('a' + rotation % 26));
  return value;
}

// The rotation whose value this is; -1 when it is none's.
int RotationOf(const Answer<std::string>& value) {
  if (!value) return -1;
  const int rotation = std::atoi(value->c_str());
  return *value == ValueOf(rotation) ? rotation : -1;
}

class TmpfsTest : public MountTest {
 protected:
  TmpfsTest() : mountpoint_(NewFolder("volume")) {}
  ~TmpfsTest() override { EXPECT_TRUE(DetachTop(mountpoint_)); }

  UniqueFd MountAt(const std::string& path, std::uint64_t size = kTmpfsSize) const {
    auto root = MountTmpfs(path, MountOptions(), 0755, size);
    if (!root) {
      ADD_FAILURE() << root.error().ToString();
      std::abort();
    }
    return *std::move(root);
  }
  std::unique_ptr<TmpfsVolume> NewVolume(std::uint64_t size = kTmpfsSize) const {
    return std::make_unique<TmpfsVolume>(AtomicWriter(MountAt(mountpoint_, size)),
                                         "the volume at " + mountpoint_,
                                         [path = mountpoint_] { return DetachTop(path); });
  }
  std::string Path(const std::string& name) const { return mountpoint_ + "/" + name; }
  MountInfo Info() const {
    const auto layers = LayersAt(*ReadMountInfo(), mountpoint_);
    EXPECT_FALSE(layers.empty());
    return layers.empty() ? MountInfo() : layers.back();
  }

  std::string mountpoint_;
};

TEST_F(TmpfsTest, WhatIsMountedIsReadOnlyLimitedAndNotSwapped) {
  const UniqueFd root = MountAt(mountpoint_);
  const MountInfo info = Info();
  EXPECT_EQ(info.fs_type, "tmpfs");
  EXPECT_EQ(info.source, "esc-agent");
  EXPECT_THAT(info.options, HasSubstr("ro,nosuid,nodev,noexec"));
  EXPECT_THAT(info.super_options, HasSubstr("rw"));
  EXPECT_THAT(info.super_options, HasSubstr("size=1024k,nr_inodes=16384"));
  EXPECT_EQ(info.super_options.find("noswap") != std::string::npos, KernelHasNoSwap());

  // By the descriptor everything can be written, by the path nothing, not even by root.
  ASSERT_TRUE(OpenAt(root.Get(), "file", O_WRONLY | O_CREAT));
  EXPECT_EQ(*ReadPath(Path("file")), "");
  EXPECT_EQ(OpenAt(AT_FDCWD, Path("file"), O_WRONLY).error(), EROFS);
  EXPECT_EQ(OpenAt(AT_FDCWD, Path("new"), O_WRONLY | O_CREAT).error(), EROFS);
  EXPECT_EQ(unlink(Path("file").c_str()), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(chmod(Path("file").c_str(), 0777), -1);
  EXPECT_EQ(errno, EROFS);
  // The private mount is nowhere to be found.
  EXPECT_EQ(LayersAt(*ReadMountInfo(), mountpoint_).size(), 1U);
}

TEST_F(TmpfsTest, StacksOnWhatIsThere) {
  const UniqueFd below = MountAt(mountpoint_);
  ASSERT_TRUE(OpenAt(below.Get(), "below", O_WRONLY | O_CREAT));
  {
    const UniqueFd above = MountAt(mountpoint_);
    EXPECT_EQ(ReadPath(Path("below")).error(), ENOENT);
    ASSERT_TRUE(OpenAt(above.Get(), "above", O_WRONLY | O_CREAT));
    EXPECT_TRUE(ReadPath(Path("above")));
  }
  ASSERT_TRUE(DetachTop(mountpoint_));
  EXPECT_TRUE(ReadPath(Path("below")));
}

TEST_F(TmpfsTest, ErrorsSayWhatToDo) {
  MountOptions options;
  EXPECT_EQ(MountTmpfs(Path("absent"), options, 0755, kTmpfsSize).error().code, Code::kNotFound);
  EXPECT_EQ(MountTmpfs(mountpoint_, options, 0755, 0).error().code, Code::kInvalidArgument);
  if (access("/sys/fs/selinux/enforce", F_OK) != 0) {
    options.selinux_context = "context=\"system_u:object_r:container_file_t:s0:c1,c2\"";
    const auto refused = MountTmpfs(mountpoint_, options, 0755, kTmpfsSize);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr("is SELinux enabled"));
    options.selinux_context.clear();
  }
  std::jthread([&] {
    ASSERT_EQ(syscall(SYS_setresuid, kNobody, kNobody, kNobody), 0);
    const auto refused = MountTmpfs(mountpoint_, options, 0755, kTmpfsSize);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
    EXPECT_THAT(refused.error().message, HasSubstr("CAP_SYS_ADMIN"));
  }).join();
  EXPECT_TRUE(LayersAt(*ReadMountInfo(), mountpoint_).empty());
  // For the fixture, which unmounts.
  MountAt(mountpoint_);
}

// Reads in a loop, in threads of its own, until it is destroyed. Knows when everybody has finished
// what he was reading.
class Readers {
 public:
  Readers(std::string mountpoint, const std::atomic<int>& acknowledged)
      : mountpoint_(std::move(mountpoint)), acknowledged_(acknowledged) {
    for (std::size_t i = 0; i < passes_.size(); ++i) {
      threads_.emplace_back([this, i](const std::stop_token& stop) {
        for (; !stop.stop_requested(); ++passes_[i]) i % 2 == 0 ? ReadPaths() : ReadOneFolder();
      });
    }
  }
  bool WaitForAPassOfEach() {
    std::array<std::uint64_t, kReaders> before;
    for (std::size_t i = 0; i < passes_.size(); ++i) before[i] = passes_[i];
    return WaitFor([&] {
      for (std::size_t i = 0; i < passes_.size(); ++i) {
        if (passes_[i] <= before[i]) return false;
      }
      return true;
    });
  }
  int Failures() const { return failures_; }

 private:
  static constexpr std::size_t kReaders = 4;

  void ReadPaths() {
    for (const char* name : {"/cert", "/app/key"}) {
      const int at_least = acknowledged_;
      if (RotationOf(ReadPath(mountpoint_ + name)) < at_least) ++failures_;
    }
  }
  void ReadOneFolder() {
    const int at_least = acknowledged_;
    const auto folder = OpenAt(AT_FDCWD, mountpoint_ + "/..data", O_RDONLY | O_DIRECTORY);
    const int cert = folder ? RotationOf(ReadAt(folder->Get(), "cert")) : -1;
    const int key = folder ? RotationOf(ReadAt(folder->Get(), "app/key")) : -1;
    if (cert < at_least || cert != key) ++failures_;
  }

  const std::string mountpoint_;
  const std::atomic<int>& acknowledged_;
  std::array<std::atomic<std::uint64_t>, kReaders> passes_{};
  std::atomic<int> failures_{0};
  std::vector<std::jthread> threads_;
};

TEST_F(TmpfsTest, ReadersNeverFailAndWatchersSeeEveryRotation) {
  const auto volume = NewVolume();
  const auto publish = [&volume](int rotation) {
    const std::string value = ValueOf(rotation);
    // Keys that come and go beside those that are read.
    return volume->Publish(SpecOf(
        {{"cert", value}, {"app/key", value}, {"only-in-" + std::to_string(rotation), value}}));
  };
  ASSERT_TRUE(publish(0));
  const UniqueFd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ASSERT_GE(inotify_add_watch(watch.Get(), mountpoint_.c_str(), IN_MOVED_TO), 0);
  std::atomic<int> acknowledged{0};
  Readers readers(mountpoint_, acknowledged);
  for (int rotation = 1; rotation <= 300; ++rotation) {
    const Status published = publish(rotation);
    ASSERT_TRUE(published) << published.error().message;
    acknowledged = rotation;
    alignas(inotify_event) std::array<char, 4096> buffer;
    pollfd poll_watch = {.fd = watch.Get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&poll_watch, 1, 10'000), 1) << rotation;
    const ssize_t size = read(watch.Get(), buffer.data(), buffer.size());
    ASSERT_GT(size, 0);
    inotify_event event = {};
    std::memcpy(&event, buffer.data(), sizeof event);
    // One event, and this one.
    EXPECT_EQ(static_cast<std::size_t>(size), sizeof event + event.len);
    EXPECT_STREQ(buffer.data() + sizeof event, "..data");
    // The generation before stays for who is reading it; nobody reads one of two rotations ago.
    ASSERT_TRUE(readers.WaitForAPassOfEach());
  }
  EXPECT_EQ(readers.Failures(), 0);
}

TEST_F(TmpfsTest, AFullVolumeSaysSoAndShowsWhatItShowed) {
  const auto volume = NewVolume(64 * 1024);
  const std::string old_value(20'000, 'o');
  ASSERT_TRUE(volume->Publish(SpecOf({{"key", old_value}, {"other", "1"}})));
  const auto names = ListOf(mountpoint_);
  for (int i = 0; i < 3; ++i) {
    const Status full = volume->Publish(SpecOf({{"key", std::string(50'000, 'S')}}));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Code::kResourceExhausted);
    EXPECT_THAT(full.error().message, HasSubstr("/key\": the volume's memory is full"));
    EXPECT_THAT(full.error().message, HasSubstr("65536 bytes and 16384 files"));
    EXPECT_THAT(full.error().message, HasSubstr(mountpoint_));
    EXPECT_THAT(full.error().message, Not(HasSubstr("SSS")));
    EXPECT_EQ(*ReadPath(Path("key")), old_value);
    EXPECT_EQ(ListOf(mountpoint_), names);
  }
  EXPECT_EQ(volume->Size(), (VolumeSize{.bytes = 20'001, .inodes = 3}));
  // There is room again for what fits.
  ASSERT_TRUE(volume->Publish(SpecOf({{"key", std::string(30'000, 'n')}})));
  EXPECT_EQ(*ReadPath(Path("key")), std::string(30'000, 'n'));
}

TEST_F(TmpfsTest, IfOnlyTheLinksFindNoRoomThePublishIsFinishedLater) {
  constexpr std::size_t kPage = 4096;
  const auto volume = NewVolume(16 * kPage);
  // A long link takes a page.
  const std::string long_name(200, 'n');
  const VolumeSpec first = SpecOf({{"key", std::string(4 * kPage, '1')}});
  const VolumeSpec second = SpecOf({{"key", std::string(4 * kPage, '2')}});
  const VolumeSpec third = SpecOf({{"key", std::string(7 * kPage, '3')}, {long_name, "3"}});
  ASSERT_TRUE(volume->Publish(first));
  ASSERT_TRUE(volume->Publish(second));
  const Status full = volume->Publish(third);
  ASSERT_FALSE(full);
  EXPECT_THAT(full.error().message, HasSubstr("make symlink"));
  EXPECT_EQ(*ReadPath(Path("key")), std::string(7 * kPage, '3'));
  EXPECT_FALSE(volume->Shows(second));
  EXPECT_FALSE(volume->Shows(third));
  // What the first one took is free now.
  const std::string generation = *LinkTarget(Path("..data"));
  ASSERT_TRUE(volume->Publish(third));
  EXPECT_TRUE(volume->Shows(third));
  EXPECT_EQ(*ReadPath(Path(long_name)), "3");
  EXPECT_EQ(*LinkTarget(Path("..data")), generation);
}

TEST_F(TmpfsTest, TooManyFilesAreRefused) {
  const auto volume = NewVolume();
  std::vector<std::pair<std::string, std::string>> files;
  for (int i = 0; i < 17'000; ++i) files.push_back({"d/" + std::to_string(i), ""});
  const Status full = volume->Publish(SpecOf(files));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kResourceExhausted);
  EXPECT_EQ(ListOf(mountpoint_).size(), 2U);
  struct statvfs found = {};
  ASSERT_EQ(statvfs(mountpoint_.c_str(), &found), 0);
  EXPECT_GT(found.f_ffree, 16'000U);
}

std::size_t OpenDescriptors() { return ListOf("/proc/self/fd").size(); }

TEST_F(TmpfsTest, UnmountLeavesNothing) {
  const std::size_t descriptors = OpenDescriptors();
  const std::size_t mounts = ReadMountInfo()->size();
  for (int i = 0; i < 50; ++i) {
    auto volume = NewVolume();
    ASSERT_TRUE(volume->Publish(SpecOf({{"a/b", "1"}, {"c", "2"}})));
    ASSERT_TRUE(volume->Publish(SpecOf({{"a/b", "2"}})));
    const auto open_file = OpenAt(AT_FDCWD, Path("a/b"), O_RDONLY);
    ASSERT_TRUE(open_file);
    EXPECT_TRUE(volume->Healthy());
    ASSERT_TRUE(volume->Unmount());
    ASSERT_TRUE(volume->Unmount());
    volume.reset();
    // A pod that terminates still reads what it has open.
    EXPECT_EQ(*ReadAll(*open_file), "2");
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
  EXPECT_EQ(ReadMountInfo()->size(), mounts);
  EXPECT_EQ(ListOf(mountpoint_).size(), 2U);
}

TEST_F(TmpfsTest, OutlivesWhoeverPublished) {
  auto volume = NewVolume();
  ASSERT_TRUE(volume->Publish(SpecOf({{"key", "kept"}})));
  volume.reset();
  EXPECT_EQ(*ReadPath(Path("key")), "kept");
  EXPECT_EQ(OpenAt(AT_FDCWD, Path("key"), O_WRONLY).error(), EROFS);
}

TEST_F(TmpfsTest, AFailedUnmountIsTriedAgain) {
  bool fails = true;
  int calls = 0;
  TmpfsVolume volume(AtomicWriter(MountAt(mountpoint_)), "the volume", [&]() -> Status {
    ++calls;
    if (fails) return Unavailable("unmount: the keeper is gone; start it");
    return {};
  });
  EXPECT_EQ(volume.Unmount().error().code, Code::kUnavailable);
  fails = false;
  EXPECT_TRUE(volume.Unmount());
  EXPECT_TRUE(volume.Unmount());
  EXPECT_EQ(calls, 2);
}

TEST_F(TmpfsTest, CanBeUsedByManyThreads) {
  const auto volume = NewVolume();
  ASSERT_TRUE(volume->Publish(SpecOf({{"key", "0"}})));
  std::atomic<int> failures{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const VolumeSpec spec =
              SpecOf({{"key", std::string(static_cast<std::size_t>(t) + 1, 'x')}});
          if (!volume->Publish(spec)) ++failures;
          static_cast<void>(volume->Shows(spec));
          if (const VolumeSize size = volume->Size(); size.bytes < 1 || size.bytes > 4) ++failures;
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(ListOf(mountpoint_).size(), 6U);
}

}  // namespace
}  // namespace escagent::fuse
