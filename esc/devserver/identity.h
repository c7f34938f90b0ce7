#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace escagent::devserver {

// What somebody may do with an environment; each includes those before it.
enum class Permission {
  kRead,  // HEAD, the definition, its revisions and tags
  kOpen,  // its values, and static secrets in plaintext
  kWrite
};

// Who makes a request. The default is the one that every developer's token stands for: it may do
// everything.
struct Identity {
  std::string login = "developer";
  std::string user_id = "00000000-0000-0000-0000-000000000000";
  std::string token_name{};
  std::string organization{};  // the only one that may be used; empty: all
  std::string team{};
  // Patterns of "project/env" (see MatchesPattern) that may be used; empty: all.
  std::vector<std::string> environments{};
  Permission permission = Permission::kWrite;

  bool MayUse(std::string_view other_organization) const {
    return organization.empty() || organization == other_organization;
  }
  // `environment` is "project/env".
  bool May(Permission needed, std::string_view organization, std::string_view environment) const;
};

// The wildcards of Pulumi's authorization policies: `*` stands for any characters, `?` for at most
// one, `.` for exactly one.
bool MatchesPattern(std::string_view pattern, std::string_view text);

}  // namespace escagent::devserver
