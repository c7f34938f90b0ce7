// open+read+close of a 4 KiB value through a volume, for each cache profile, beside the same on a
// tmpfs in the same run. Prints a Markdown table. Needs root; exits with 77 where it cannot mount.

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "fuse/fuse_mounter.h"

namespace escagent::fuse {
namespace {

constexpr std::size_t kValueSize = 4096;
constexpr std::chrono::milliseconds kWarmUp{200};
constexpr std::chrono::milliseconds kMeasured{800};
constexpr std::array<int, 2> kReaders = {1, 8};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "fuse_read_bench: %s\n", what.c_str());
  std::exit(1);
}

void ReadOnce(const std::string& path) {
  std::array<char, kValueSize> buffer;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, buffer.data(), buffer.size()) != ssize_t{kValueSize}) {
    Fail("cannot read " + path);
  }
  close(fd);
}

double OpsPerSecond(const std::string& path, int readers) {
  std::atomic<bool> counting{false};
  std::atomic<bool> stopping{false};
  std::atomic<std::uint64_t> total{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < readers; ++i) {
    threads.emplace_back([&] {
      std::uint64_t count = 0;
      while (!stopping.load(std::memory_order_relaxed)) {
        ReadOnce(path);
        if (counting.load(std::memory_order_relaxed)) ++count;
      }
      total += count;
    });
  }
  std::this_thread::sleep_for(kWarmUp);
  const auto begin = std::chrono::steady_clock::now();
  counting = true;
  std::this_thread::sleep_for(kMeasured);
  counting = false;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  stopping = true;
  threads.clear();
  return static_cast<double>(total) / elapsed.count();
}

struct Row {
  std::string name;
  std::array<double, kReaders.size()> ops{};
};

Row Measure(const std::string& name, const std::string& path) {
  Row row{.name = name, .ops = {}};
  for (std::size_t i = 0; i < kReaders.size(); ++i) row.ops[i] = OpsPerSecond(path, kReaders[i]);
  return row;
}

Row MeasureVolume(FuseMounter& mounter, const std::string& folder, const std::string& name,
                  CacheProfile cache) {
  const std::string mountpoint = folder + "/" + name;
  if (mkdir(mountpoint.c_str(), 0755) != 0) Fail("cannot make " + mountpoint);
  VolumeSpec spec;
  spec.files.push_back({.path = "key",
                        .mode = 0444,
                        .content = std::make_shared<const Secret>(std::string(kValueSize, 'v'))});
  MountOptions options;
  options.mountpoint = mountpoint;
  options.cache = cache;
  auto volume = mounter.Mount(options, spec);
  if (!volume) Fail(volume.error().ToString());
  Row row = Measure("volume, cache: " + name, mountpoint + "/key");
  if (const Status unmounted = (*volume)->Unmount(); !unmounted) {
    Fail(unmounted.error().ToString());
  }
  rmdir(mountpoint.c_str());
  return row;
}

// A file by itself, and the same below kubelet's symlinks.
void FillTmpfs(const std::string& folder) {
  const std::string value(kValueSize, 'v');
  std::ofstream(folder + "/plain") << value;
  mkdir((folder + "/..1").c_str(), 0755);
  std::ofstream(folder + "/..1/key") << value;
  if (symlink("..1", (folder + "/..data").c_str()) != 0 ||
      symlink("..data/key", (folder + "/key").c_str()) != 0) {
    Fail("cannot make the symlinks on the tmpfs");
  }
}

void Print(const std::vector<Row>& rows) {
  const Row& plain = rows.front();
  std::printf("open+read+close of a 4 KiB value, operations a second (x = of the tmpfs file)\n\n");
  std::printf("| what | 1 reader | x | 8 readers | x |\n|---|---:|---:|---:|---:|\n");
  for (const Row& row : rows) {
    std::printf("| %s | %.0f | %.2f | %.0f | %.2f |\n", row.name.c_str(), row.ops[0],
                row.ops[0] / plain.ops[0], row.ops[1], row.ops[1] / plain.ops[1]);
  }
}

int Main() {
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    std::fprintf(stderr, "fuse_read_bench: skipped, it needs root to mount\n");
    return 77;
  }
  auto mounter = FuseMounter::Create();
  if (!mounter) {
    std::fprintf(stderr, "fuse_read_bench: skipped, %s\n", mounter.error().ToString().c_str());
    return 77;
  }
  std::string folder = "/tmp/fuse_read_bench.XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) Fail("cannot make a temporary folder");
  // In this mount namespace only: it is gone with this process.
  if (mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0) {
    Fail("cannot mount a tmpfs");
  }
  FillTmpfs(folder);
  std::vector<Row> rows;
  rows.push_back(Measure("tmpfs, a file", folder + "/plain"));
  rows.push_back(Measure("tmpfs, a file below kubelet's symlinks", folder + "/key"));
  rows.push_back(MeasureVolume(**mounter, folder, "none", CacheProfile::kNone));
  rows.push_back(MeasureVolume(**mounter, folder, "page", CacheProfile::kPage));
  rows.push_back(MeasureVolume(**mounter, folder, "full", CacheProfile::kFull));
  Print(rows);
  umount2(folder.c_str(), MNT_DETACH);
  rmdir(folder.c_str());
  return 0;
}

}  // namespace
}  // namespace escagent::fuse

int main() { return escagent::fuse::Main(); }
