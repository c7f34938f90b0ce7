#pragma once

#include <cstdint>

#include "base/unique_fd.h"
#include "fuse/keeper/protocol.h"

namespace escagent::keeper {

// A change that the next rotation makes beside ..data. Allocated with its name.
struct KeyChange {
  KeyChange* next;
  bool remove;
  char name[1];
};

void FreeKeys(KeyChange* keys);

struct Volume {
  char id[sizeof(Message::volume)] = {};
  char pod_uid[sizeof(Message::pod_uid)] = {};
  char volume_name[sizeof(Message::volume_name)] = {};
  std::uint64_t generation = 0;     // of `state`; opaque
  std::uint64_t device_number = 0;  // of the file system
  // The rotation under way: who asked for it, 0: none, and its sequence.
  std::uint64_t rotation = 0;
  std::uint64_t rotation_sequence = 0;
  KeyChange* keys = nullptr;  // in reverse order
  bool tmpfs = false;
  bool aborted = false;
  bool no_swap = false;
  UniqueFd device;  // /dev/fuse
  UniqueFd mount;   // private and writable
  UniqueFd state;
  UniqueFd new_state;  // the agent is writing it
};

struct Blob {
  char name[sizeof(Message::text)] = {};
  UniqueFd state;
  UniqueFd new_state;
};

// What outlives the agents. Used by the main thread only.
class VolumeTable {
 public:
  Volume* Find(const char* id);
  Volume* FindTarget(const char* pod_uid, const char* volume_name);
  // The first one at or behind `index`, which becomes the one after it. nullptr: no more.
  Volume* Next(std::uint64_t& index);
  // nullptr when there is no room.
  Volume* Add(const char* id, const char* pod_uid, const char* volume_name);
  void Remove(Volume* volume);
  unsigned Count() const { return count_; }

  int AddKey(Volume& volume, bool remove, const char* name);
  KeyChange* TakeKeys(Volume& volume);  // in order; the caller frees
  void DropUnfinished();                // keys and new states
  unsigned PendingKeys() const { return pending_keys_; }

  Blob* FindBlob(const char* name);
  Blob* AddBlob(const char* name);  // nullptr when there is no room
  void RemoveBlob(Blob* blob);
  Blob* NextBlob(std::uint64_t& index);

 private:
  Volume* volumes_[kMaxVolumes] = {};
  Blob* blobs_[kMaxBlobs] = {};
  unsigned used_ = 0;  // slots before which all volumes are
  unsigned count_ = 0;
  unsigned pending_keys_ = 0;
};

}  // namespace escagent::keeper
