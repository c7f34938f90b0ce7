#include "tests/component/fuse/mount_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include "fuse/mount_info.h"
#include "fuse/mount_ops.h"

namespace escagent::fuse {
namespace {

constexpr const char* kParent = "/tmp/fuse_mount_test.";
constexpr std::chrono::seconds kWatchdog{150};  // less than CTest's timeout

class MountEnvironment final : public ::testing::Environment {
 public:
  void SetUp() override {
    Status usable = {};
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      usable = ErrnoError(errno, "make a mount namespace (needs root)");
    } else if (const auto device = OpenFuseDevice(); !device) {
      usable = std::unexpected(device.error());
    }
    if (!usable) {
      std::fprintf(stderr, "skipped: %s\n", usable.error().ToString().c_str());
      std::_Exit(77);
    }
    watchdog_ = std::jthread([this](std::stop_token stop) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait_for(lock, stop, kWatchdog, [] { return false; });
      if (stop.stop_requested()) return;
      std::fprintf(stderr, "watchdog: the test hangs; aborting its FUSE connections\n");
      AbortOwnConnections();
      std::_Exit(1);
    });
  }
  void TearDown() override {
    watchdog_.request_stop();
    watchdog_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread watchdog_;
};

const ::testing::Environment* const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new MountEnvironment);

template <class T>
Answer<T> ErrnoAnswer() {
  return std::unexpected(errno);
}

}  // namespace

void AbortOwnConnections() {
  const std::string control = std::string(kParent) + std::to_string(getpid()) + ".ctl";
  mkdir(control.c_str(), 0700);
  mount("fusectl", control.c_str(), "fusectl", 0, nullptr);
  const auto mounts = ReadMountInfo();
  if (!mounts) return;
  for (const MountInfo& mount : *mounts) {
    if (mount.fs_type != kFsType || !mount.mountpoint.starts_with(kParent)) continue;
    const std::string path = control + "/" + std::to_string(mount.device_minor) + "/abort";
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd && write(fd.Get(), "1", 1) != 1) std::perror(path.c_str());
  }
}

bool WaitFor(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

Answer<UniqueFd> OpenAt(int folder, const std::string& path, int flags) {
  UniqueFd fd(openat(folder, path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd) return ErrnoAnswer<UniqueFd>();
  return fd;
}

Answer<std::string> ReadAll(const UniqueFd& fd) {
  std::string bytes;
  std::array<char, 64 * 1024> buffer;
  while (true) {
    const ssize_t n = read(fd.Get(), buffer.data(), buffer.size());
    if (n < 0) return ErrnoAnswer<std::string>();
    if (n == 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

Answer<std::string> ReadAt(int folder, const std::string& path) {
  const Answer<UniqueFd> fd = OpenAt(folder, path, O_RDONLY);
  if (!fd) return std::unexpected(fd.error());
  return ReadAll(*fd);
}

Answer<std::string> ReadPath(const std::string& path) { return ReadAt(AT_FDCWD, path); }

Answer<std::string> LinkTarget(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t n = readlink(path.c_str(), target.data(), target.size());
  if (n < 0) return ErrnoAnswer<std::string>();
  return std::string(target.data(), static_cast<std::size_t>(n));
}

Answer<struct stat> StatOf(const std::string& path) {
  struct stat found = {};
  if (lstat(path.c_str(), &found) != 0) return ErrnoAnswer<struct stat>();
  return found;
}

std::vector<std::string> ListOf(const std::string& path) {
  std::vector<std::string> names;
  DIR* const folder = opendir(path.c_str());
  if (folder == nullptr) return names;
  while (const dirent* entry = readdir(folder)) names.emplace_back(entry->d_name);
  closedir(folder);
  std::ranges::sort(names);
  return names;
}

std::shared_ptr<const Secret> Bytes(std::string_view text) {
  return std::make_shared<const Secret>(text);
}

VolumeSpec SpecOf(const std::vector<std::pair<std::string, std::string>>& files) {
  VolumeSpec spec;
  for (const auto& [path, content] : files) {
    spec.files.push_back({.path = path, .mode = 0444, .content = Bytes(content)});
  }
  return spec;
}

MountTest::MountTest() : folder_(std::string(kParent) + "XXXXXX") {
  if (mkdtemp(folder_.data()) == nullptr || chmod(folder_.c_str(), 0755) != 0 ||
      mount("tmpfs", folder_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0) {
    ADD_FAILURE() << "cannot make a folder to mount in: errno " << errno;
  }
}

MountTest::~MountTest() {
  umount2(folder_.c_str(), MNT_DETACH);
  rmdir(folder_.c_str());
}

std::string MountTest::NewFolder(const std::string& name) const {
  std::string path = folder_ + "/" + name;
  EXPECT_EQ(mkdir(path.c_str(), 0755), 0) << path;
  return path;
}

std::unique_ptr<FuseMounter> MountTest::NewMounter(FuseMounter::Options options) const {
  auto mounter = FuseMounter::Create(options);
  if (!mounter) {
    ADD_FAILURE() << mounter.error().ToString();
    std::abort();
  }
  return *std::move(mounter);
}

std::unique_ptr<MountedVolume> MountTest::Mount(FuseMounter& mounter, const std::string& mountpoint,
                                                const VolumeSpec& spec, CacheProfile cache) const {
  MountOptions options;
  options.mountpoint = mountpoint;
  options.cache = cache;
  auto volume = mounter.Mount(options, spec);
  if (!volume) {
    ADD_FAILURE() << volume.error().ToString();
    std::abort();
  }
  return *std::move(volume);
}

ProfileTest::ProfileTest() : mountpoint_(NewFolder("volume")) {}

ProfileTest::~ProfileTest() {
  if (volume_ != nullptr) {
    EXPECT_TRUE(volume_->Unmount());
  }
}

void ProfileTest::Start(const VolumeSpec& spec, std::chrono::milliseconds grace) {
  FuseMounter::Options options;
  options.grace = grace;
  mounter_ = NewMounter(options);
  volume_ = Mount(*mounter_, mountpoint_, spec, GetParam());
}

void ProfileTest::Publish(const VolumeSpec& spec) const {
  const Status published = volume_->Publish(spec);
  ASSERT_TRUE(published) << published.error().ToString();
}

std::string ProfileName(const ::testing::TestParamInfo<CacheProfile>& info) {
  switch (info.param) {
    case CacheProfile::kNone:
      return "None";
    case CacheProfile::kPage:
      return "Page";
    case CacheProfile::kFull:
      return "Full";
  }
  return "Unknown";
}

}  // namespace escagent::fuse
