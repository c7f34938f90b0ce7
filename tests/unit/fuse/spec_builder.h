#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuse/file_spec.h"

namespace escagent::fuse {

inline std::shared_ptr<const Secret> Bytes(std::string_view text) {
  return std::make_shared<const Secret>(text);
}

// A spec of (path, content) pairs, all with mode 0444.
inline VolumeSpec SpecOf(const std::vector<std::pair<std::string, std::string>>& files) {
  VolumeSpec spec;
  for (const auto& [path, content] : files) {
    spec.files.push_back({.path = path, .mode = 0444, .content = Bytes(content)});
  }
  return spec;
}

}  // namespace escagent::fuse
