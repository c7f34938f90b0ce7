#include "base/process_memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace escagent {

void LimitMallocArenas() { mallopt(M_ARENA_MAX, 2); }

void TrimProcessMemory() {
  malloc_trim(0);
  // proc(5), /proc/pid/smaps: a line "begin-end perms offset dev inode path" for each mapping, then
  // its counters, "Anonymous" among them.
  std::ifstream smaps("/proc/self/smaps");
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool is_read_only_file = false;
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream fields(line);
    std::string first;
    fields >> first;
    if (first == "Anonymous:") {
      std::uint64_t kilobytes = 0;
      fields >> kilobytes;
      // Without a copied page (relocations make some), every page can be read from the file again.
      if (is_read_only_file && kilobytes == 0) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): an address is what the kernel's text gives.
        madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
      }
    } else if (const std::size_t dash = first.find('-'); dash != std::string::npos) {
      std::string permissions;
      std::string offset;
      std::string device;
      std::uint64_t inode = 0;
      fields >> permissions >> offset >> device >> inode;
      begin = std::stoull(first, nullptr, 16);
      end = std::stoull(first.substr(dash + 1), nullptr, 16);
      is_read_only_file = inode != 0 && (permissions == "r--p" || permissions == "r-xp");
    }
  }
}

}  // namespace escagent
