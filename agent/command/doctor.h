#pragma once

namespace CLI {
class App;
}

namespace escagent::command {

// `esc-agent doctor [--json] [--only PARTS] [flags of run]`: looks at the node, the agent, the
// cluster and ESC, and prints what to fix. Exit code 1 when something is broken.
void AddDoctor(CLI::App& app, int& exit_code);

}  // namespace escagent::command
