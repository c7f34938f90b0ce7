#pragma once

namespace CLI {
class App;
}

namespace escagent::command {

// `esc-agent dev-server --definitions DIR --listen ADDR [--token T]`: the offline ESC server, until
// Ctrl-C. Prints its address when it serves.
void AddDevServer(CLI::App& app, int& exit_code);

}  // namespace escagent::command
