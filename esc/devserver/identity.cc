#include "esc/devserver/identity.h"

#include <algorithm>
#include <cstddef>

namespace escagent::devserver {

bool Identity::May(Permission needed, std::string_view other_organization,
                   std::string_view environment) const {
  if (!MayUse(other_organization) || permission < needed) return false;
  return environments.empty() || std::ranges::any_of(environments, [&](const std::string& pattern) {
           return MatchesPattern(pattern, environment);
         });
}

// By the rows of the usual table: reachable[i] says whether the pattern so far can end before
// text[i]. Linear in both, whatever the pattern is.
bool MatchesPattern(std::string_view pattern, std::string_view text) {
  std::vector<bool> reachable(text.size() + 1, false);
  reachable[0] = true;
  for (const char c : pattern) {
    if (c == '*') {
      for (std::size_t i = 1; i <= text.size(); ++i)
        reachable[i] = reachable[i] || reachable[i - 1];
      continue;
    }
    for (std::size_t i = text.size() + 1; i-- > 0;) {
      const bool step = i > 0 && reachable[i - 1] && (c == '.' || c == '?' || c == text[i - 1]);
      reachable[i] = step || (c == '?' && reachable[i]);
    }
  }
  return reachable[text.size()];
}

}  // namespace escagent::devserver
