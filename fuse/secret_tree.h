#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "fuse/generation.h"
#include "fuse/inode_number.h"

namespace escagent::fuse {

// Names in a volume's root, as kubelet's atomic writer has them.
inline constexpr std::string_view kDataLink = "..data";
inline constexpr std::string_view kNewDataLink = "..data_tmp";  // until it is renamed to kDataLink
inline constexpr std::string_view kKeyTarget = "..data/";       // and the key: what its link says

// The answer to one request of the kernel: a value or an errno.
template <class T>
using Reply = std::expected<T, int>;

struct NodeAttributes {
  std::uint64_t inode = 0;
  mode_t mode = 0;  // type and permission bits
  std::uint64_t size = 0;
  nlink_t links = 1;
  uid_t uid = 0;
  gid_t gid = 0;
  Generation::Time time;
  // Nothing of this changes before the next rotation says so; otherwise it may not be cached.
  bool cacheable = false;
};

struct OpenedFile {
  // The number of the generation whose bytes this open file shows until it is released.
  std::uint64_t handle = 0;
  // The bytes are the inode's own, which never change: the kernel's page cache may keep them. False
  // for a retired inode that follows the rotations.
  bool own_bytes = false;
};

// What somebody opens, for audit.
struct ShownFile {
  std::string path{};      // "app/db/password"
  std::string revision{};  // VolumeSpec::revision
  bool withheld = false;
};

struct FolderEntry {
  std::uint64_t inode = 0;
  std::string name;
  mode_t type = 0;  // S_IFDIR, S_IFREG or S_IFLNK
};

// One swap of ..data: what the kernel may have cached and must forget.
struct Rotation {
  std::shared_ptr<const Generation> previous;
  std::shared_ptr<const Generation> current;
  // Keys of the volume's root that exist no more.
  std::vector<std::string> removed_keys;
};

// What a successor needs to answer for every inode and handle the kernel holds.
struct TreeState {
  std::uint64_t first_number = 0;
  // Oldest first. The last one is the current one, or one that was prepared to be it.
  std::vector<std::shared_ptr<const Generation>> generations;
  std::uint64_t settled_number = 0;
  std::uint64_t expired_before = 0;
  std::uint64_t link_number = 0;   // of the generation that `..data_tmp` leads to; 0: there is none
  std::vector<std::string> names;  // NameTable::Paths
};

// A volume as the kernel sees it, without the kernel: inode numbers in, attributes and bytes out.
// The shape is that of kubelet's atomic writer:
//
//   ..data -> ..<generation>      ..<generation>/      key -> ..data/key
//
// Retained are the current generation and the one before, every one with something open, and every
// one since Expire, for requests that a rotation overtook.
//
// A plain inode (fuse/inode_number.h) of a generation older than the *settled* one follows the
// rotations: it shows the settled generation's bytes of the same path, ENOENT when that path is
// gone. The settled generation is the current one, except between Publish and Settle, while the
// kernel is being told. One exception: as long as somebody has a folder of the generation open, and
// it is not expired, its files stay themselves, so that who opened the folder gets one generation.
//
// Looking anything up in the folder of a generation that is not retained is ESTALE, upon which the
// kernel walks the path again from the root.
//
// A successor (Restore) does not know what its predecessor's readers have open. It retains what it
// inherits for kInheritedRotations rotations, whatever it is told of being closed; later reads
// through such an open file are ESTALE. Until Expire, it takes every inherited file for open. Its
// own handles differ from those of all others before it by a random part.
//
// A prepared generation becomes the current one by Commit, or by the renames of a helper: another
// process, which works through the mount so that watchers see it. It does what kubelet's atomic
// writer does, and nothing else is allowed to anybody:
//
//   mkdir ..N, symlink ..N at ..data_tmp, rename ..data_tmp to ..data (this commits),
//   symlink ..data/<key> at <key> for new keys, unlink <key> for those that are gone,
//   utimensat of the files below the folder of the generation before.
//
// From that rename until FinishRotation, new keys are there once their symlink was made, and old
// ones until they were unlinked; the generation before is not retired yet. Each step may be
// repeated, and a successor, which shows N from the start, takes the rest of them.
//
// Every request reads one immutable state. Thread-safe; calls of Publish, Prepare, Commit, Abandon
// and Save must not overlap.
class SecretTree {
 public:
  static constexpr std::uint64_t kInheritedRotations = 8;

  // `first_number` must be larger than any number used before on the same connection: the
  // generations are numbered from there (the time in seconds will do).
  static Result<std::unique_ptr<SecretTree>> Create(const VolumeSpec& spec,
                                                    std::uint64_t first_number,
                                                    Generation::Time now);

  // Swaps ..data, unless the volume shows the same already: then nothing.
  Result<std::optional<Rotation>> Publish(const VolumeSpec& spec, Generation::Time now);
  // Publish in two steps, so that a generation can be kept for a successor (Save) before anybody
  // sees it: what Prepare returned is shown from Commit on. Preparing anew drops what was prepared
  // before; no two prepared generations have the same number.
  Result<std::optional<Rotation>> Prepare(const VolumeSpec& spec, Generation::Time now);
  // Nothing when a helper has done it already, or nothing is prepared.
  void Commit();
  void Abandon();
  // The helper is done or given up: the root has the keys of the current generation.
  void FinishRotation();

  // Everything, with the prepared generation as the last one if there is one. Once that was given
  // to a keeper, a successor shows it: readers may have seen it.
  TreeState Save() const;
  // For another process (fuse/tree_codec.h). INVALID_ARGUMENT when it is no state that Save
  // returned. Unless a helper has done all of the LastRotation, the kernel must be told about it
  // again, as after Publish: the predecessor may not have come to it. FinishRotation comes then.
  static Result<std::unique_ptr<SecretTree>> Restore(TreeState state);
  // From the generation before to the current one, as far as retained.
  std::optional<Rotation> LastRotation() const;

  // Lets the plain inodes of all generations before `number` follow, and returns those that begin
  // to: their attributes are worth nothing from now on.
  std::vector<std::shared_ptr<const Generation>> Settle(std::uint64_t number);
  // Generations before `number` need not be retained for who is late any more.
  void Expire(std::uint64_t number);
  // Inherited generations of which somebody has a folder open (OpenFolders), until they expire.
  void HoldFolders(std::vector<std::uint64_t> generations);
  // The last of them was closed.
  void ReleaseFolders(std::uint64_t generation);

  Reply<NodeAttributes> Lookup(std::uint64_t folder, std::string_view name) const;
  Reply<NodeAttributes> GetAttributes(std::uint64_t inode) const;
  // For who asks through an open file: those of the bytes that it shows.
  Reply<NodeAttributes> GetAttributes(std::uint64_t inode, std::uint64_t handle) const;
  Reply<std::string> ReadLink(std::uint64_t inode) const;

  // Open files keep their generation until CloseFile.
  Reply<OpenedFile> OpenFile(std::uint64_t inode);
  void CloseFile(std::uint64_t inode, std::uint64_t handle);
  Reply<std::shared_ptr<const Secret>> Content(std::uint64_t inode, std::uint64_t handle) const;
  // What an open file shows; without a handle (0) what it would show.
  Reply<ShownFile> Describe(std::uint64_t inode, std::uint64_t handle) const;
  // The same for a connection whose files are not opened (CacheProfile::kFull).
  Reply<std::shared_ptr<const Secret>> Content(std::uint64_t inode) const;

  // Returns a handle, so that a listing in several parts is one generation's.
  Reply<std::uint64_t> OpenFolder(std::uint64_t inode);
  void CloseFolder(std::uint64_t handle);
  // At most `limit` entries from the `offset`th on.
  Reply<std::vector<FolderEntry>> List(std::uint64_t inode, std::uint64_t handle,
                                       std::size_t offset, std::size_t limit) const;

  // The helper's steps; EROFS for everything that is none of them, or not its turn.
  Reply<NodeAttributes> MakeFolder(std::uint64_t parent, std::string_view name);
  Reply<NodeAttributes> MakeLink(std::uint64_t parent, std::string_view name,
                                 std::string_view target);
  Reply<void> Rename(std::uint64_t from, std::string_view old_name, std::uint64_t to,
                     std::string_view new_name);
  Reply<void> Unlink(std::uint64_t parent, std::string_view name);
  // Sets the times of a file that is not of the current generation, which changes nothing.
  Reply<NodeAttributes> Touch(std::uint64_t inode) const;

  std::shared_ptr<const Generation> Current() const;
  std::uint64_t CurrentNumber() const { return Current()->Number(); }
  // Oldest first.
  std::vector<std::shared_ptr<const Generation>> Retained() const;
  std::uint64_t SettledNumber() const;
  std::vector<std::string> Names() const { return names_.Paths(); }

 private:
  struct State {
    std::uint64_t first_number = 0;
    std::vector<std::shared_ptr<const Generation>> retained;  // oldest first, never empty
    std::shared_ptr<const Generation> settled;
    std::uint64_t expired_before = 0;
    std::uint64_t inherited_until = 0;           // the newest inherited one's number
    std::vector<std::uint64_t> held;             // of HoldFolders
    std::shared_ptr<const Generation> prepared;  // not shown yet; may be none
    bool prepared_has_folder = false;            // the helper has made it
    std::uint64_t link_number = 0;               // as in TreeState
    // From the helper's rename until FinishRotation. Keys by index, sorted: those that the current
    // generation has and the root not yet, and the other way round.
    bool in_transition = false;
    std::vector<std::uint32_t> missing_keys;
    std::vector<std::uint32_t> leftover_keys;

    const Generation& Current() const { return *retained.back(); }
    // Also the prepared one, once it has a folder.
    const Generation* Find(std::uint64_t number) const;
    // Whose files are looked up as pinned ones.
    bool IsRetired(const Generation& generation) const;
    // What `name` in the root links to, the index of the link's inode included.
    const GenerationNode* FindVisibleKey(std::string_view name) const;
    std::vector<std::uint32_t> VisibleKeys() const;
    void EndTransition();
    bool IsFolderOpen(const Generation& generation) const;
    // Whether somebody may have this file of a retired generation open.
    bool MayBeOpen(const Generation& generation, std::uint32_t index) const;
    // The generation whose bytes a file's inode shows.
    const Generation& Shown(const InodeParts& parts) const;
    // The top-level key whose symlink has this index; nullptr when there is none.
    const std::string* FindKey(std::uint32_t index) const;
  };

  SecretTree() = default;
  std::shared_ptr<const State> Snapshot() const;
  void SwapState(std::shared_ptr<State> state) REQUIRES(mutex_);
  static void PromotePrepared(State& state);
  void DropUnused(State& state) const;
  void DropIfUnused(const Generation& generation) REQUIRES(mutex_);

  // The generation of a handle, 0 when it is not one of this tree's own.
  std::uint64_t OwnNumber(std::uint64_t handle) const;

  // Handle: bits 39..0 generation, above them the tree's part, 0 for the first of a connection.
  std::uint64_t handle_part_ = 0;
  std::uint64_t last_number_ = 0;  // this and names_: used by Publish and its like only
  NameTable names_;
  mutable Mutex mutex_;
  std::shared_ptr<const State> state_ GUARDED_BY(mutex_);
};

}  // namespace escagent::fuse
