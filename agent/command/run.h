#pragma once

namespace CLI {
class App;
}

namespace escagent::command {

// `esc-agent run`: the node agent, until SIGTERM or SIGINT. SIGHUP reads stores and tokens again.
void AddRun(CLI::App& app, int& exit_code);

}  // namespace escagent::command
