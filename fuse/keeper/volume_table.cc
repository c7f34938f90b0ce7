#include "fuse/keeper/volume_table.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "fuse/keeper/wire.h"

namespace escagent::keeper {
namespace {

// Without operator new, which is libstdc++'s.
template <class T>
T* Make() {
  void* const memory = malloc(sizeof(T));
  return memory == nullptr ? nullptr : new (memory) T();
}

template <class T>
void Destroy(T* object) {
  std::destroy_at(object);
  free(object);
}

}  // namespace

void FreeKeys(KeyChange* keys) {
  while (keys != nullptr) {
    KeyChange* const next = keys->next;
    free(keys);
    keys = next;
  }
}

Volume* VolumeTable::Find(const char* id) {
  for (unsigned i = 0; i < used_; ++i) {
    if (volumes_[i] != nullptr && strcmp(volumes_[i]->id, id) == 0) return volumes_[i];
  }
  return nullptr;
}

Volume* VolumeTable::FindTarget(const char* pod_uid, const char* volume_name) {
  for (unsigned i = 0; i < used_; ++i) {
    Volume* const v = volumes_[i];
    if (v != nullptr && strcmp(v->pod_uid, pod_uid) == 0 &&
        strcmp(v->volume_name, volume_name) == 0) {
      return v;
    }
  }
  return nullptr;
}

Volume* VolumeTable::Next(std::uint64_t& index) {
  for (; index < used_; ++index) {
    if (volumes_[index] != nullptr) return volumes_[index++];
  }
  return nullptr;
}

Volume* VolumeTable::Add(const char* id, const char* pod_uid, const char* volume_name) {
  unsigned slot = 0;
  while (slot < used_ && volumes_[slot] != nullptr) ++slot;
  if (slot == kMaxVolumes) return nullptr;
  Volume* const v = Make<Volume>();
  if (v == nullptr) return nullptr;
  Copy(v->id, sizeof v->id, id);
  Copy(v->pod_uid, sizeof v->pod_uid, pod_uid);
  Copy(v->volume_name, sizeof v->volume_name, volume_name);
  volumes_[slot] = v;
  if (slot == used_) ++used_;
  ++count_;
  return v;
}

void VolumeTable::Remove(Volume* volume) {
  for (unsigned i = 0; i < used_; ++i) {
    if (volumes_[i] == volume) volumes_[i] = nullptr;
  }
  while (used_ > 0 && volumes_[used_ - 1] == nullptr) --used_;
  --count_;
  FreeKeys(TakeKeys(*volume));
  Destroy(volume);
}

int VolumeTable::AddKey(Volume& volume, bool remove, const char* name) {
  if (pending_keys_ == kMaxPendingKeys) return ENOBUFS;
  const std::size_t length = strlen(name);
  void* const memory = malloc(sizeof(KeyChange) + length);
  if (memory == nullptr) return ENOMEM;
  KeyChange* const key = new (memory) KeyChange{volume.keys, remove, {}};
  memcpy(static_cast<char*>(memory) + offsetof(KeyChange, name), name, length + 1);
  volume.keys = key;
  ++pending_keys_;
  return 0;
}

KeyChange* VolumeTable::TakeKeys(Volume& volume) {
  KeyChange* ordered = nullptr;
  while (volume.keys != nullptr) {
    KeyChange* const key = volume.keys;
    volume.keys = key->next;
    key->next = ordered;
    ordered = key;
    --pending_keys_;
  }
  return ordered;
}

void VolumeTable::DropUnfinished() {
  for (std::uint64_t i = 0; Volume* const v = Next(i);) {
    FreeKeys(TakeKeys(*v));
    v->new_state.Reset();
  }
  for (std::uint64_t i = 0; Blob* const blob = NextBlob(i);) {
    blob->new_state.Reset();
    if (!blob->state) RemoveBlob(blob);
  }
}

Blob* VolumeTable::FindBlob(const char* name) {
  for (Blob* const blob : blobs_) {
    if (blob != nullptr && strcmp(blob->name, name) == 0) return blob;
  }
  return nullptr;
}

Blob* VolumeTable::AddBlob(const char* name) {
  for (Blob*& blob : blobs_) {
    if (blob != nullptr) continue;
    blob = Make<Blob>();
    if (blob != nullptr) Copy(blob->name, sizeof blob->name, name);
    return blob;
  }
  return nullptr;
}

void VolumeTable::RemoveBlob(Blob* blob) {
  for (Blob*& slot : blobs_) {
    if (slot == blob) slot = nullptr;
  }
  Destroy(blob);
}

Blob* VolumeTable::NextBlob(std::uint64_t& index) {
  for (; index < kMaxBlobs; ++index) {
    if (blobs_[index] != nullptr) return blobs_[index++];
  }
  return nullptr;
}

}  // namespace escagent::keeper
