#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent {

// Where a TCP server listens.
struct ListenAddress {
  std::string host;  // "127.0.0.1", "::1", "0.0.0.0"
  int port = 0;      // 0: any free one

  // "127.0.0.1:9808", "[::1]:9808", ":9808" (every address).
  static Result<ListenAddress> Parse(std::string_view text);
};

}  // namespace escagent
