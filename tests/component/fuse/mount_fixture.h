#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "fuse/fuse_mounter.h"

namespace escagent::fuse {

inline constexpr std::chrono::seconds kDeadline{30};

// Ends whatever hangs in this test's mounts. /sys/fs/fuse/connections has everybody's connections:
// only those mounted below our own folders are touched.
void AbortOwnConnections();

// Polls until `condition` holds; false when the deadline passed.
bool WaitFor(const std::function<bool()>& condition);

// What a system call answered: a value or errno.
template <class T>
using Answer = std::expected<T, int>;

Answer<UniqueFd> OpenAt(int folder, const std::string& path, int flags);
Answer<std::string> ReadAll(const UniqueFd& fd);
Answer<std::string> ReadAt(int folder, const std::string& path);
Answer<std::string> ReadPath(const std::string& path);
Answer<std::string> LinkTarget(const std::string& path);
Answer<struct stat> StatOf(const std::string& path);  // lstat
std::vector<std::string> ListOf(const std::string& path);

std::shared_ptr<const Secret> Bytes(std::string_view text);
VolumeSpec SpecOf(const std::vector<std::pair<std::string, std::string>>& files);

// Tests with real mounts, in a mount namespace of this process's own and below a tmpfs of each
// test's own. The whole program exits with 77 where it cannot mount. Should it hang, a watchdog
// aborts its own connections, and only those, so that it can end.
class MountTest : public ::testing::Test {
 protected:
  MountTest();
  ~MountTest() override;

  std::string NewFolder(const std::string& name) const;
  const std::string& Folder() const { return folder_; }

  std::unique_ptr<FuseMounter> NewMounter(FuseMounter::Options options = {}) const;
  std::unique_ptr<MountedVolume> Mount(FuseMounter& mounter, const std::string& mountpoint,
                                       const VolumeSpec& spec,
                                       CacheProfile cache = CacheProfile::kPage) const;

 private:
  std::string folder_;
};

// The same with one mounter and one volume, for each cache profile.
class ProfileTest : public MountTest, public ::testing::WithParamInterface<CacheProfile> {
 protected:
  ProfileTest();
  ~ProfileTest() override;

  // The grace is longer than any test, so that none depends on how busy the machine is.
  void Start(const VolumeSpec& spec, std::chrono::milliseconds grace = std::chrono::minutes(10));
  void Publish(const VolumeSpec& spec) const;
  std::string Path(const std::string& name) const { return mountpoint_ + "/" + name; }
  bool IsFull() const { return GetParam() == CacheProfile::kFull; }

  std::string mountpoint_;
  std::unique_ptr<FuseMounter> mounter_;
  std::unique_ptr<MountedVolume> volume_;
};

std::string ProfileName(const ::testing::TestParamInfo<CacheProfile>& info);

}  // namespace escagent::fuse
