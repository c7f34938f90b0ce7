#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace escagent::devserver {

// An environment of the same organization that a definition uses.
struct Import {
  std::string project;
  std::string environment;
  std::string version{};  // empty: the newest
};

// "project/env[@version]"; "env" alone is in ESC's legacy project "default".
Import ParseImport(std::string_view name);

// What a definition imports itself: its list "imports" and references ${environments.PROJECT.ENV}.
// Nothing for a text that is no definition.
std::vector<Import> ImportsOf(std::string_view definition);

}  // namespace escagent::devserver
