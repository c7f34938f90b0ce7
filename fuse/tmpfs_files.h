#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/file_spec.h"
#include "fuse/generation.h"

namespace escagent::fuse {

// Gives the file or folder at `path`, relative to the volume's root, to another owner.
using ChownFunction = std::function<Status(std::string_view path, uid_t uid, gid_t gid)>;

// Generations as real files and folders in a volume's root, for an AtomicWriter. No symlink is
// followed; every step is relative to the folder before it. Errors name paths and never values;
// RESOURCE_EXHAUSTED says the limits of the file system.
class TmpfsFiles {
 public:
  // The root (O_PATH will do) and `chown` must outlive this. An empty `chown` is by chown(2).
  static Result<TmpfsFiles> Open(const UniqueFd& root, const ChownFunction& chown);

  // Open for reading.
  int Root() const { return root_.Get(); }

  // Sorted, without "." and "..".
  Result<std::vector<std::string>> List() const { return List(root_.Get(), "."); }

  // Writes the generation's folder, which must not exist. Nobody but this process can look into it
  // before everything in it has its owner and mode. On an error a part of it may be left.
  Status Write(const Generation& generation) const;
  // Whether the folder `name` shows just this: paths, modes, owners and contents. False when it
  // cannot be read.
  bool Matches(const std::string& name, const Generation& generation) const;
  // As far as it can be read.
  VolumeSize Measure(const std::string& name) const;
  // Removes `name` from the root, with everything in it. OK when there is none. Folders that were
  // given away are taken back first where that is needed.
  Status Remove(const std::string& name) const { return Remove(root_.Get(), name, name); }

  // The error of a system call that did `what`.
  std::unexpected<Error> Failed(int error_number, const std::string& what) const;

 private:
  TmpfsFiles(UniqueFd root, const ChownFunction& chown) : root_(std::move(root)), chown_(&chown) {}

  Result<std::vector<std::string>> List(int folder, const std::string& path) const;
  // In all of these `path` is that of `name`, relative to the root.
  Status WriteFolder(int parent, const std::string& name, const std::string& path,
                     const Generation& generation, const GenerationNode& node) const;
  Status WriteFile(int parent, const std::string& name, const std::string& path,
                   const Generation& generation, const GenerationNode& node) const;
  Status Finish(const UniqueFd& fd, const std::string& path, const Generation& generation,
                const GenerationNode& node) const;
  bool FolderMatches(int parent, const std::string& name, const Generation& generation,
                     const GenerationNode& node) const;
  void MeasureFolder(int parent, const std::string& name, VolumeSize& size) const;
  Status Remove(int parent, const std::string& name, const std::string& path) const;
  Status TakeBack(int parent, const std::string& name, const std::string& path) const;

  UniqueFd root_;
  const ChownFunction* chown_;
};

}  // namespace escagent::fuse
