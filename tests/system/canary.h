#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace escagent::testing {

// A mark that is planted in secrets and looked for in everything that comes out of the programs, in
// the forms in which it might leak: as it is, in base64 (at any of the three offsets in a group of
// three bytes) and in hex.
class Canary {
 public:
  // `mark` has only letters, digits and hyphens, which JSON, YAML and URL encoding leave alone.
  explicit Canary(std::string_view mark);

  // The text around the first leak, or "" when there is none.
  std::string FindIn(std::string_view text) const;

 private:
  std::vector<std::string> forms_;
};

}  // namespace escagent::testing
