#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/secret.h"

namespace escagent::fuse {

// One file to show in a volume.
struct FileSpec {
  // Relative, "/"-separated, folders are implied: "app/db/password".
  std::string path;
  // Permission bits only, for example 0444.
  mode_t mode = 0444;
  // Shared, so that equal contents of several volumes exist once.
  std::shared_ptr<const Secret> content;
};

struct FolderSpec {
  // An empty object is an empty folder.
  std::string path;
};

// Everything a volume shows at one time: the pure input of a Generation.
struct VolumeSpec {
  std::vector<FileSpec> files;
  std::vector<FolderSpec> empty_folders;
  uid_t uid = 0;
  gid_t gid = 0;
  // Mode of folders: 0755, or 0750 and the like when files are not for everyone.
  mode_t folder_mode = 0755;
  // For audit only: no part of what is shown. The revision that the contents come from, as their
  // source names it; and whether the files are empty because the pod may not have the contents.
  std::string revision = {};
  bool withheld = false;
};

// Whether both show the same files with the same bytes, modes and owners, in the same order.
bool SameContent(const VolumeSpec& a, const VolumeSpec& b);

struct VolumeSize {
  std::uint64_t bytes = 0;
  // Files and folders, the root included.
  std::uint64_t inodes = 0;
  bool operator==(const VolumeSize&) const = default;
};
VolumeSize Measure(const VolumeSpec& spec);

}  // namespace escagent::fuse
