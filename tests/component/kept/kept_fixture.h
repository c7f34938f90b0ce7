#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fuse/keeper_link.h"
#include "fuse/kept_mounter.h"
#include "tests/component/fuse/watcher.h"
#include "tests/component/keeper/keeper_fixture.h"

namespace escagent::fuse {

// One agent's part of a node: its link, its mounter and its volumes by name. Destroying it is a
// clean end (without Drained); several live in one test, one after the other.
struct Agent {
  std::unique_ptr<KeeperLink> link;
  std::unique_ptr<KeptMounter> mounter;
  std::vector<RestoredVolume> restored;
  std::unique_ptr<MountedVolume> volume;
  std::atomic<int> reconnections = 0;

  ~Agent();
};

class KeptTest : public keeper::KeeperTest {
 protected:
  // Connects and restores what there is; the first one restored becomes `volume`. `timeout` is for
  // each call to the keeper.
  std::unique_ptr<Agent> StartAgent(std::chrono::milliseconds timeout = keeper::kDeadline);
  // Publishes a volume with metadata "pod-<name>".
  void Mount(Agent& agent, const VolumeSpec& spec, Backend backend = Backend::kFuse,
             const std::string& name = "a");

  std::string Path(const std::string& file, const std::string& name = "a") {
    return MountOf(name) + "/" + file;
  }
  std::string MountOf(const std::string& name = "a") {
    return keeper::KeeperTest::MountOf(NewTarget(name));
  }
  std::string Read(const std::string& file, const std::string& name = "a") {
    return keeper::ReadOrErrno(Path(file, name));
  }
};

VolumeSpec SpecOf(const std::vector<std::pair<std::string, std::string>>& files);

}  // namespace escagent::fuse
