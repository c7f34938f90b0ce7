#pragma once

#include <cstddef>

namespace escagent {

struct LockedBlock {
  char* data = nullptr;
  // What was really reserved, >= what was asked for. Pass it back to LockedFree.
  std::size_t size = 0;
};

// Memory for secrets: locked against swapping (mlock2 with MLOCK_ONFAULT), outside core dumps
// (MADV_DONTDUMP) and not inherited by children (MADV_WIPEONFORK). Where RLIMIT_MEMLOCK does not
// allow locking, the memory is still outside core dumps and LockedMemoryStats says so.
//
// Small blocks come from shared chunks by size class, large ones from their own mapping.
// Thread-safe. Never fails: running out of memory aborts, as everywhere in this project.
LockedBlock LockedAllocate(std::size_t size);

// Wipes the block and gives it back.
void LockedFree(LockedBlock block);

struct LockedMemoryStats {
  std::size_t mapped_bytes = 0;    // reserved from the system
  std::size_t used_bytes = 0;      // in blocks now
  std::size_t unlocked_bytes = 0;  // mapped but refused by mlock2
};
LockedMemoryStats GetLockedMemoryStats();

}  // namespace escagent
