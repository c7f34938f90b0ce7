#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace escagent::fuse {

// What a connection agreed on with FUSE_INIT, for life and across processes.
struct SessionInit {
  // The kernel's FUSE_INIT as it came. A successor replays it to bring its libfuse to the same
  // state.
  std::vector<std::byte> request;
  // What was wanted of what the kernel offered (FUSE_CAP_*), and its limits. A successor that wants
  // something else cannot serve the connection.
  std::uint64_t capabilities = 0;
  std::uint32_t max_write = 0;
  std::uint32_t max_background = 0;

  bool SameAgreement(const SessionInit& other) const {
    return capabilities == other.capabilities && max_write == other.max_write &&
           max_background == other.max_background;
  }
};

}  // namespace escagent::fuse
