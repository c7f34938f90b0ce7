#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "fuse/target_folder.h"
#include "fuse/volume.h"

namespace escagent::testing {

// What FakeMounter knows about one mountpoint.
struct FakeMount {
  fuse::MountOptions options;
  // Every spec shown so far, oldest first; the last one is what the volume shows now.
  std::vector<fuse::VolumeSpec> specs;
  bool healthy = true;

  // The value shown at `path` now; nothing when there is no such file.
  std::optional<std::string> Read(const std::string& path) const {
    for (const fuse::FileSpec& file : specs.back().files) {
      if (file.path == path) return std::string(file.content->Reveal());
    }
    return std::nullopt;
  }
};

// A Mounter in memory, but for the folders that are mounted on. Failures are injected. Thread-safe.
// The volumes it gives out may outlive it.
class FakeMounter final : public fuse::Mounter {
 public:
  FakeMounter() : state_(std::make_shared<State>()) {}

  Result<std::unique_ptr<fuse::MountedVolume>> Mount(const fuse::MountOptions& options,
                                                     const fuse::VolumeSpec& spec) override {
    MutexLock lock(state_->mutex);
    const bool mounted = state_->layers.contains(options.mountpoint);
    ESC_ASSIGN_OR_RETURN(const bool created, fuse::CreateTarget(options.mountpoint, mounted));
    ++state_->mount_calls;
    if (state_->mount_error) {
      if (created) ESC_RETURN_IF_ERROR(fuse::RemoveTarget(options.mountpoint));
      return std::unexpected(*state_->mount_error);
    }
    state_->layers[options.mountpoint].push_back(std::make_shared<FakeMount>(
        FakeMount{.options = options, .specs = {spec}, .healthy = true}));
    return std::make_unique<Volume>(state_, options.mountpoint,
                                    state_->layers[options.mountpoint].back());
  }

  Result<bool> IsMountPoint(const std::string& path) const override {
    MutexLock lock(state_->mutex);
    return state_->layers.contains(path);
  }

  Status Remove(const std::string&, const std::string& path) override {
    MutexLock lock(state_->mutex);
    if (state_->unmount_error) return std::unexpected(*state_->unmount_error);
    state_->layers.erase(path);
    return fuse::RemoveTarget(path);
  }
  Status Healthy() const override {
    MutexLock lock(state_->mutex);
    if (state_->health_error) return std::unexpected(*state_->health_error);
    return {};
  }

  // What a successor's Mounter restores of the topmost mount at `path`.
  fuse::RestoredVolume Restore(const std::string& path) {
    MutexLock lock(state_->mutex);
    const std::shared_ptr<FakeMount>& mount = state_->layers.at(path).back();
    mount->healthy = true;
    return {.metadata = mount->options.metadata,
            .volume = std::make_unique<Volume>(state_, path, mount)};
  }

  // The topmost mount at `path`, as a copy; nothing when nothing is mounted there.
  std::optional<FakeMount> MountAt(const std::string& path) const {
    MutexLock lock(state_->mutex);
    const auto it = state_->layers.find(path);
    if (it == state_->layers.end()) return std::nullopt;
    return *it->second.back();
  }
  // The value of `file` in the volume at `path` now.
  std::optional<std::string> Read(const std::string& path, const std::string& file) const {
    const std::optional<FakeMount> mount = MountAt(path);
    return mount ? mount->Read(file) : std::nullopt;
  }
  std::size_t MountCount() const {
    MutexLock lock(state_->mutex);
    return state_->layers.size();
  }
  int MountCalls() const {
    MutexLock lock(state_->mutex);
    return state_->mount_calls;
  }

  // Every later call fails with this; std::nullopt ends it.
  void FailMount(std::optional<Error> error) {
    MutexLock lock(state_->mutex);
    state_->mount_error = std::move(error);
  }
  void FailPublish(std::optional<Error> error) {
    MutexLock lock(state_->mutex);
    state_->publish_error = std::move(error);
  }
  void FailHealth(std::optional<Error> error) {
    MutexLock lock(state_->mutex);
    state_->health_error = std::move(error);
  }
  void FailUnmount(std::optional<Error> error) {
    MutexLock lock(state_->mutex);
    state_->unmount_error = std::move(error);
  }
  // As if whoever served the topmost mount at `path` had died: it stays mounted.
  void Kill(const std::string& path) {
    MutexLock lock(state_->mutex);
    const auto it = state_->layers.find(path);
    if (it != state_->layers.end()) it->second.back()->healthy = false;
  }
  // As left behind by a former agent: mounted, served by nobody.
  void AddDeadMount(const std::string& path) {
    MutexLock lock(state_->mutex);
    fuse::MountOptions options;
    options.mountpoint = path;
    state_->layers[path].push_back(std::make_shared<FakeMount>(
        FakeMount{.options = std::move(options), .specs = {fuse::VolumeSpec{}}, .healthy = false}));
  }

 private:
  struct State {
    mutable Mutex mutex;
    std::map<std::string, std::vector<std::shared_ptr<FakeMount>>> layers GUARDED_BY(mutex);
    int mount_calls GUARDED_BY(mutex) = 0;
    std::optional<Error> mount_error GUARDED_BY(mutex);
    std::optional<Error> publish_error GUARDED_BY(mutex);
    std::optional<Error> unmount_error GUARDED_BY(mutex);
    std::optional<Error> health_error GUARDED_BY(mutex);
  };

  class Volume final : public fuse::MountedVolume {
   public:
    Volume(std::shared_ptr<State> state, std::string path, std::shared_ptr<FakeMount> mount)
        : state_(std::move(state)), path_(std::move(path)), mount_(std::move(mount)) {}

    Status Publish(const fuse::VolumeSpec& spec) override {
      MutexLock lock(state_->mutex);
      if (state_->publish_error) return std::unexpected(*state_->publish_error);
      mount_->specs.push_back(spec);
      return {};
    }
    bool Shows(const fuse::VolumeSpec& spec) const override {
      MutexLock lock(state_->mutex);
      return fuse::SameContent(mount_->specs.back(), spec);
    }
    std::optional<fuse::VolumeSpec> Shown() const override {
      MutexLock lock(state_->mutex);
      return mount_->specs.back();
    }
    fuse::VolumeSize Size() const override {
      MutexLock lock(state_->mutex);
      return fuse::Measure(mount_->specs.back());
    }
    Status Unmount() override {
      MutexLock lock(state_->mutex);
      if (state_->unmount_error) return std::unexpected(*state_->unmount_error);
      const auto it = state_->layers.find(path_);
      if (it == state_->layers.end()) return {};
      std::erase(it->second, mount_);
      if (it->second.empty()) state_->layers.erase(it);
      return {};
    }
    bool Healthy() const override {
      MutexLock lock(state_->mutex);
      return mount_->healthy;
    }

   private:
    const std::shared_ptr<State> state_;
    const std::string path_;
    const std::shared_ptr<FakeMount> mount_;
  };

  const std::shared_ptr<State> state_;
};

}  // namespace escagent::testing
