#include "base/locked_memory.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <vector>

#include "base/mutex.h"

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 0x01
#endif

// Size classes are the powers of two from 32 bytes to 32 KiB, cut from 64 KiB chunks and kept on a
// free list for each class. A chunk is never given back: what the agent holds grows to its working
// set and stays. Larger blocks are their own mapping and are unmapped when freed.

namespace escagent {
namespace {

constexpr std::size_t kMinClassShift = 5;
constexpr std::size_t kMaxClassShift = 15;
constexpr std::size_t kClasses = kMaxClassShift - kMinClassShift + 1;
constexpr std::size_t kChunkSize = std::size_t{64} << 10;
constexpr std::size_t kPageSize = 4096;

struct FreeNode {
  FreeNode* next;
};

class Arena {
 public:
  LockedBlock Allocate(std::size_t size) EXCLUDES(mutex_) {
    if (size > (std::size_t{1} << kMaxClassShift)) return AllocateLarge(size);
    const std::size_t shift =
        std::max<std::size_t>(kMinClassShift, static_cast<std::size_t>(std::bit_width(size - 1)));
    const std::size_t block_size = std::size_t{1} << shift;
    MutexLock lock(mutex_);
    FreeNode*& head = free_[shift - kMinClassShift];
    if (head == nullptr) Refill(shift);
    FreeNode* node = head;
    head = node->next;
    stats_.used_bytes += block_size;
    return {reinterpret_cast<char*>(node), block_size};
  }

  void Free(LockedBlock block) EXCLUDES(mutex_) {
    OPENSSL_cleanse(block.data, block.size);
    MutexLock lock(mutex_);
    stats_.used_bytes -= block.size;
    if (block.size > (std::size_t{1} << kMaxClassShift)) {
      stats_.mapped_bytes -= block.size;
      if (const auto it = std::find(unlocked_.begin(), unlocked_.end(), block.data);
          it != unlocked_.end()) {
        unlocked_.erase(it);
        stats_.unlocked_bytes -= block.size;
      }
      munmap(block.data, block.size);
      return;
    }
    const auto shift = static_cast<std::size_t>(std::countr_zero(block.size));
    auto* node = reinterpret_cast<FreeNode*>(block.data);
    node->next = free_[shift - kMinClassShift];
    free_[shift - kMinClassShift] = node;
  }

  LockedMemoryStats Stats() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return stats_;
  }

 private:
  LockedBlock AllocateLarge(std::size_t size) EXCLUDES(mutex_) {
    const std::size_t rounded = (size + kPageSize - 1) / kPageSize * kPageSize;
    MutexLock lock(mutex_);
    char* data = Map(rounded);
    stats_.used_bytes += rounded;
    return {data, rounded};
  }

  void Refill(std::size_t shift) REQUIRES(mutex_) {
    if (chunk_left_ < (std::size_t{1} << shift)) {
      RetireChunk();
      chunk_ = Map(kChunkSize);
      chunk_left_ = kChunkSize;
    }
    // A page's worth at a time, so that MLOCK_ONFAULT locks only what is used.
    const std::size_t block_size = std::size_t{1} << shift;
    const std::size_t count =
        std::min(std::max<std::size_t>(1, kPageSize / block_size), chunk_left_ / block_size);
    for (std::size_t i = 0; i < count; ++i) Push(chunk_, shift);
  }

  // Cuts one block of 1 << shift off the current chunk.
  void Push(char*& chunk, std::size_t shift) REQUIRES(mutex_) {
    auto* node = reinterpret_cast<FreeNode*>(chunk);
    node->next = free_[shift - kMinClassShift];
    free_[shift - kMinClassShift] = node;
    chunk += std::size_t{1} << shift;
    chunk_left_ -= std::size_t{1} << shift;
  }

  // The rest of a chunk becomes blocks of the classes it fits.
  void RetireChunk() REQUIRES(mutex_) {
    for (std::size_t shift = kMaxClassShift; shift >= kMinClassShift; --shift) {
      while (chunk_left_ >= (std::size_t{1} << shift)) Push(chunk_, shift);
    }
  }

  char* Map(std::size_t size) REQUIRES(mutex_) {
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) std::abort();
    madvise(data, size, MADV_DONTDUMP);
    madvise(data, size, MADV_WIPEONFORK);
    stats_.mapped_bytes += size;
    if (mlock2(data, size, MLOCK_ONFAULT) != 0) {
      stats_.unlocked_bytes += size;
      unlocked_.push_back(static_cast<char*>(data));
    }
    return static_cast<char*>(data);
  }

  Mutex mutex_;
  std::array<FreeNode*, kClasses> free_ GUARDED_BY(mutex_) = {};
  char* chunk_ GUARDED_BY(mutex_) = nullptr;
  std::size_t chunk_left_ GUARDED_BY(mutex_) = 0;
  // Starts of the mappings that mlock2 refused.
  std::vector<char*> unlocked_ GUARDED_BY(mutex_);
  LockedMemoryStats stats_ GUARDED_BY(mutex_);
};

Arena& TheArena() {
  // Never destroyed: a Secret with static storage may outlive any destructor order.
  static Arena* const arena = new Arena;
  return *arena;
}

}  // namespace

LockedBlock LockedAllocate(std::size_t size) {
  return TheArena().Allocate(std::max<std::size_t>(size, 1));
}

void LockedFree(LockedBlock block) { TheArena().Free(block); }

LockedMemoryStats GetLockedMemoryStats() { return TheArena().Stats(); }

}  // namespace escagent
