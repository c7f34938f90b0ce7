#pragma once

#include <memory>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/file_spec.h"
#include "fuse/generation.h"
#include "fuse/tmpfs_files.h"

namespace escagent::fuse {

// Shows a VolumeSpec as real files in a folder of its own, usually a tmpfs, in the shape of
// kubelet's atomic writer:
//
//   ..data -> ..<generation>      ..<generation>/      key -> ..data/key
//
// Readers see one rotation at a time: a generation's folder is written as a whole before ..data is
// renamed onto it. The generation before stays, for who is walking through it; older ones are
// removed. A process that dies anywhere in between leaves what was shown before or what is shown
// now, and the next Publish removes or finishes the rest.
//
// The root belongs to the writer alone: whatever else is in it is removed. It is open to everybody
// (r-x), as it has nothing but names of keys; owner and modes of a spec are those of the
// generation's folder and what is below. The root must be ours to write to, whatever the spec's
// owner.
//
// Thread-compatible.
class AtomicWriter {
 public:
  // `root`: the writable folder (O_PATH will do). `chown` is for a process that may not give files
  // away itself, and called for what is not the spec's owner's already; without it, chown(2).
  explicit AtomicWriter(UniqueFd root, ChownFunction chown = {});

  // INVALID_ARGUMENT names the path that cannot be shown, and nothing changes. RESOURCE_EXHAUSTED
  // says the limits of the file system. After another error than the first, what was shown before
  // is still shown, or the new contents without all of their links; Shows knows, and the next
  // Publish goes on from there. A spec that is shown already makes no new generation.
  Status Publish(const VolumeSpec& spec);

  // Whether every path leads to this and nothing else is there. Before this object's first Publish
  // it is found out from the files, as far as they can be read: false when they cannot be, as those
  // of another owner in a process without privileges.
  bool Shows(const VolumeSpec& spec) const;

  // What this object published last; nothing when not all of it is in place.
  std::optional<VolumeSpec> Shown() const;

  // Of what is shown; before the first Publish as far as it can be read.
  VolumeSize Size() const;

 private:
  UniqueFd root_;
  ChownFunction chown_;
  // What this object published, when all of it is in place. Its number may not be the folder's.
  std::shared_ptr<const Generation> shown_;
};

}  // namespace escagent::fuse
