#pragma once

#include <vector>

#include "agent/command/flags.h"

namespace CLI {
class App;
}

namespace escagent::command {

// `esc-agent run`: the node agent, until SIGTERM or SIGINT. SIGHUP reads stores and tokens again.
// Its flags are those of `esc-agent doctor`, too, which looks at what they name.
std::vector<Flag> RunFlags();
void AddRun(CLI::App& app, int& exit_code);

}  // namespace escagent::command
