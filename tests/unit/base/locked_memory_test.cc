#include "base/locked_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/thread.h"

namespace escagent {
namespace {

// The "VmFlags:" line of the mapping that `address` lies in, from /proc/self/smaps.
std::string VmFlags(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(smaps, line)) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream header(line);
    if (header >> std::hex >> begin >> dash >> end && dash == '-') {
      inside = begin <= wanted && wanted < end;
    } else if (inside && line.starts_with("VmFlags:")) {
      return line + ' ';
    }
  }
  return {};
}

TEST(LockedMemoryTest, SizesFromOneByteToManyPages) {
  for (const std::size_t size : {1U, 15U, 16U, 17U, 100U, 4095U, 4096U, 4097U, 70000U, 3000000U}) {
    const LockedBlock block = LockedAllocate(size);
    ASSERT_NE(block.data, nullptr);
    EXPECT_GE(block.size, size);
    std::memset(block.data, 'x', block.size);
    LockedFree(block);
  }
}

TEST(LockedMemoryTest, BlocksDoNotOverlap) {
  std::vector<LockedBlock> blocks;
  for (std::size_t i = 0; i < 500; ++i) {
    blocks.push_back(LockedAllocate(1 + i * 7 % 300));
    std::memset(blocks.back().data, static_cast<int>(i % 251), blocks.back().size);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::size_t k = 0; k < blocks[i].size; ++k) {
      ASSERT_EQ(static_cast<unsigned char>(blocks[i].data[k]), i % 251) << i << " " << k;
    }
    LockedFree(blocks[i]);
  }
}

TEST(LockedMemoryTest, UsedBytesReturnToWhereTheyWere) {
  const LockedMemoryStats before = GetLockedMemoryStats();
  const LockedBlock small = LockedAllocate(40);
  const LockedBlock large = LockedAllocate(1 << 20);
  const LockedMemoryStats during = GetLockedMemoryStats();
  EXPECT_EQ(during.used_bytes, before.used_bytes + small.size + large.size);
  EXPECT_GE(during.mapped_bytes, during.used_bytes);
  LockedFree(small);
  LockedFree(large);
  const LockedMemoryStats after = GetLockedMemoryStats();
  EXPECT_EQ(after.used_bytes, before.used_bytes);
  EXPECT_LE(after.mapped_bytes, during.mapped_bytes - (1 << 20))
      << "a large block's mapping goes back to the system";
}

TEST(LockedMemoryTest, FreedBlocksAreUsedAgain) {
  LockedFree(LockedAllocate(64));
  const std::size_t mapped = GetLockedMemoryStats().mapped_bytes;
  for (int i = 0; i < 100000; ++i) LockedFree(LockedAllocate(64));
  EXPECT_EQ(GetLockedMemoryStats().mapped_bytes, mapped);
}

TEST(LockedMemoryTest, ReusedBlocksHoldNothingOfTheirPast) {
  const LockedBlock block = LockedAllocate(64);
  std::memcpy(block.data, "canary", 6);
  LockedFree(block);
  std::vector<LockedBlock> blocks;
  for (int i = 0; i < 200; ++i) {
    blocks.push_back(LockedAllocate(64));
    EXPECT_EQ(std::string_view(blocks.back().data, blocks.back().size).find("canary"),
              std::string_view::npos);
  }
  for (const LockedBlock& b : blocks) LockedFree(b);
}

TEST(LockedMemoryTest, IsOutsideCoreDumpsAndLocked) {
  for (const std::size_t size : {64U, 1000000U}) {
    const LockedBlock block = LockedAllocate(size);
    const std::string flags = VmFlags(block.data);
    ASSERT_FALSE(flags.empty());
    EXPECT_NE(flags.find(" dd "), std::string::npos) << "not MADV_DONTDUMP: " << flags;
    EXPECT_NE(flags.find(" wf "), std::string::npos) << "not MADV_WIPEONFORK: " << flags;
    if (GetLockedMemoryStats().unlocked_bytes == 0) {
      EXPECT_NE(flags.find(" lo "), std::string::npos) << "not locked: " << flags;
    }
    LockedFree(block);
  }
}

TEST(LockedMemoryTest, ChildrenSeeZeroes) {
  const LockedBlock block = LockedAllocate(64);
  std::memcpy(block.data, "canary", 6);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(block.data[0] == 0 ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(std::string_view(block.data, 6), "canary");
  LockedFree(block);
}

TEST(LockedMemoryTest, ManyThreads) {
  const std::size_t before = GetLockedMemoryStats().used_bytes;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.push_back(StartThread("locked", [t] {
        std::vector<LockedBlock> blocks;
        for (std::size_t i = 0; i < 2000; ++i) {
          blocks.push_back(LockedAllocate(1 + i % 5000));
          std::memset(blocks.back().data, t, blocks.back().size);
          if (i % 3 == 0) {
            EXPECT_EQ(blocks.back().data[blocks.back().size - 1], static_cast<char>(t));
            LockedFree(blocks.back());
            blocks.pop_back();
          }
        }
        for (const LockedBlock& block : blocks) {
          EXPECT_EQ(block.data[0], static_cast<char>(t));
          LockedFree(block);
        }
      }));
    }
  }
  EXPECT_EQ(GetLockedMemoryStats().used_bytes, before);
}

}  // namespace
}  // namespace escagent
