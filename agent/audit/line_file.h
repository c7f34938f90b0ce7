#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace escagent::audit {

// A file, or standard output, that lines are appended to. Used by one thread at a time.
class LineFile {
 public:
  // "-" is standard output; a file is made (0600) when it is missing. Errors name the path.
  static Result<LineFile> Open(const std::string& path);

  // Writes all of `lines`. A pipe that nobody reads holds it up until `stop` is requested
  // (DEADLINE_EXCEEDED). After an error a part may have been written.
  Status Append(std::string_view lines, const std::stop_token& stop);

 private:
  LineFile(std::string name, UniqueFd fd) : name_(std::move(name)), fd_(std::move(fd)) {}

  std::string name_;
  UniqueFd fd_;
};

}  // namespace escagent::audit
