#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fuse/file_spec.h"
#include "fuse/name_table.h"

namespace escagent::fuse {

// One entry of a generation: the generation's own folder, a folder below it, or a file.
struct GenerationNode {
  struct Child {
    std::string name;
    std::uint32_t slot = 0;  // in Generation::Nodes()
  };

  std::uint32_t index = 0;  // fuse/inode_number.h
  bool is_folder = false;
  mode_t mode = 0;                        // permission bits
  std::shared_ptr<const Secret> content;  // of a file
  std::vector<Child> children;            // of a folder, sorted by name
  std::uint32_t folder_count = 0;         // how many children are folders
};

// What a volume shows between two rotations: an immutable tree made from a VolumeSpec. Only the
// counts of open files and folders change. Thread-safe.
class Generation {
 public:
  using Time = std::chrono::system_clock::time_point;

  // INVALID_ARGUMENT names the path that cannot be shown: see CheckVolumePath; a path given twice;
  // a file that is also a folder; a mode with more than permission bits. `names` gives the indexes
  // and is left alone on such an error.
  static Result<std::shared_ptr<const Generation>> Create(const VolumeSpec& spec,
                                                          std::uint64_t number, Time time,
                                                          NameTable& names);

  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  std::uint64_t Number() const { return number_; }
  Time CreatedAt() const { return time_; }
  uid_t Uid() const { return uid_; }
  gid_t Gid() const { return gid_; }
  mode_t FolderMode() const { return folder_mode_; }
  // VolumeSpec::revision and VolumeSpec::withheld.
  const std::string& Revision() const { return revision_; }
  bool Withheld() const { return withheld_; }
  // "..1732460000": the name of this generation's folder.
  const std::string& FolderName() const { return folder_name_; }

  // Slot 0 is the generation's own folder; the others follow in the order of their paths.
  const std::vector<GenerationNode>& Nodes() const { return nodes_; }
  const GenerationNode& Root() const { return nodes_.front(); }
  // nullptr when this generation has no such path.
  const GenerationNode* Find(std::uint32_t index) const;
  // The name of the key in the volume's root that has this index; nullptr when there is none.
  const std::string* FindKey(std::uint32_t index) const;
  // "app/db/password"; "" for the folder itself and when this generation has no such path.
  std::string_view PathOf(std::uint32_t index) const { return paths_[SlotOf(index)]; }
  const GenerationNode* FindChild(const GenerationNode& folder, std::string_view name) const;

  std::uint64_t TotalBytes() const { return total_bytes_; }
  // Whether both show the same: paths, modes, owners and contents.
  bool ShowsSameAs(const Generation& other) const;
  bool Shows(const VolumeSpec& spec) const;

  // The input of this generation again, sorted by path: with NameTable::Paths() and the number all
  // that a successor needs to build an equal one.
  VolumeSpec ToSpec() const;

  // Open files and folders that need this generation's contents. `own` says that the opened inode
  // is this generation's (and not one of an older generation that follows the rotations).
  void AddOpenFile(std::uint32_t index, bool own) const;
  void RemoveOpenFile(std::uint32_t index, bool own) const;
  void AddOpenFolder() const { ++open_folders_; }
  void RemoveOpenFolder() const { --open_folders_; }
  bool HasOpens() const { return open_files_ != 0 || open_folders_ != 0; }
  bool HasOpenFolders() const { return open_folders_ != 0; }
  bool HasOwnOpenFiles(std::uint32_t index) const { return own_open_files_[SlotOf(index)] != 0; }

 private:
  Generation() = default;
  std::size_t SlotOf(std::uint32_t index) const;

  std::uint64_t number_ = 0;
  Time time_;
  std::string folder_name_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  mode_t folder_mode_ = 0;
  std::string revision_;
  bool withheld_ = false;
  std::vector<GenerationNode> nodes_;
  std::vector<std::string> paths_;           // by slot; "" for slot 0
  std::vector<std::uint32_t> slot_by_name_;  // by index - kFirstNameIndex; 0 is "none"
  std::uint64_t total_bytes_ = 0;

  mutable std::atomic<std::uint32_t> open_files_{0};
  mutable std::atomic<std::uint32_t> open_folders_{0};
  mutable std::vector<std::atomic<std::uint32_t>> own_open_files_;  // by slot
};

}  // namespace escagent::fuse
