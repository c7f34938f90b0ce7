#pragma once

namespace CLI {
class App;
}

namespace escagent::command {

// `esc-agent status [--json]`: asks the local agent and prints what it serves, never values.
// `esc-agent refresh [ENV]`: makes it look for changes now.
// Each adds its sub-command to `app` and sets `exit_code` when it runs.
void AddStatus(CLI::App& app, int& exit_code);
void AddRefresh(CLI::App& app, int& exit_code);

}  // namespace escagent::command
