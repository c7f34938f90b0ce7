#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace escagent::fuse {

// A FUSE file system that nobody serves yet, mounted as esc-keeper does: read-only where the pod
// has it, and writable where nobody comes by.
struct MountPair {
  UniqueFd device;
  UniqueFd root;  // of the writable mount
};
// Throws std::system_error.
MountPair MountTwice(const std::string& pod_side);

// Rotates through the writable mount, as esc-keeper's child does: see SecretTree. Each step gives 0
// or an errno, and may be repeated.
class RenameHelper {
 public:
  RenameHelper(int root, std::uint64_t old_generation, std::uint64_t new_generation);

  int MakeFolder() const;
  int MakeLink() const;
  int Rename() const;
  int AddKeys() const;
  int RemoveKeys() const;
  int Touch() const;
  // All of them, in this order.
  std::vector<std::function<int()>> Steps() const;
  int Run() const;

 private:
  const int root_;
  const std::string old_folder_;
  const std::string new_folder_;
};

}  // namespace escagent::fuse
