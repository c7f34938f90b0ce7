#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent::esc {

// Which environment, and which of its versions. Names follow ESC's rules (reference/esc-api.md
// (a)): organization [a-zA-Z0-9][a-zA-Z0-9-_]{1,38}[a-zA-Z0-9]; project and environment 1..100 of
// [a-zA-Z0-9-_.]. `version` is a revision number or a tag; empty means the latest.
struct EnvironmentRef {
  std::string organization;
  std::string project;
  std::string environment;
  std::string version;

  // "org/project/env[@version]" (":version" is accepted as ESC's own CLI does).
  static Result<EnvironmentRef> Parse(std::string_view text);
  // Checks the names. `what` names what is being read in the error.
  Status Validate(std::string_view what) const;
  // "org/project/env" or "org/project/env@version".
  std::string ToString() const;

  auto operator<=>(const EnvironmentRef&) const = default;
};

}  // namespace escagent::esc
