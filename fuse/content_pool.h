#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "base/secret.h"

namespace escagent::fuse {

// Contents that were copied out of one process and are read into another: equal ones become one
// again, as hundreds of volumes may show the same environment. Lives as long as the reading.
// Thread-compatible.
class ContentPool {
 public:
  std::shared_ptr<const Secret> Share(std::string_view bytes);

 private:
  std::unordered_multimap<std::size_t, std::shared_ptr<const Secret>> by_hash_;
};

}  // namespace escagent::fuse
