#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "esc/value.h"

namespace escagent::cache {

// What one open of an environment gave. Immutable once published; shared by everybody who reads
// the environment (volumes, later the mirror).
struct Snapshot {
  esc::Value properties;  // an object
  std::string revision;   // Pulumi-ESC-Revision; empty when the server does not say
  std::string etag;
  // Grows with each published snapshot of the environment.
  std::uint64_t sequence = 0;
  std::chrono::system_clock::time_point opened_at;
};

}  // namespace escagent::cache
