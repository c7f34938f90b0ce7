#pragma once

namespace CLI {
class App;
}

namespace escagent::command {

// `esc-agent eval FILE [--show-secrets] [--imports DIR]`: evaluates a definition offline and prints
// its properties as JSON; findings go to stderr. Exit code 1 when one of them is an error.
void AddEval(CLI::App& app, int& exit_code);

}  // namespace escagent::command
