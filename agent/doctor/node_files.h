#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace escagent::doctor {

// What the kernel tells of a node and of this process by files below /proc and /dev. Tests put
// another folder in place of "/". Thread-safe.
class NodeFiles {
 public:
  explicit NodeFiles(std::string root = {}) : root_(std::move(root)) {}

  // "/proc/version" as it is to be opened.
  std::string Path(std::string_view path) const { return root_ + std::string(path); }
  // The text of a file, without line breaks at its end.
  Result<std::string> Read(std::string_view path) const;
  // What follows `name` in the line of a file that starts with it ("CapEff:" of
  // /proc/self/status), without spaces around; empty when there is no such line.
  std::string Field(std::string_view path, std::string_view name) const;

 private:
  const std::string root_;
};

}  // namespace escagent::doctor
