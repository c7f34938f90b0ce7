#include <CLI/CLI.hpp>
#include <string>

#include "agent/command/dev_server.h"
#include "agent/command/eval.h"
#include "agent/command/mount.h"
#include "agent/command/output.h"
#include "agent/command/run.h"
#include "agent/command/status.h"
#include "base/version.h"

int main(int argc, char** argv) {
  namespace command = escagent::command;
  int exit_code = command::kDone;
  CLI::App app("Pulumi ESC environments for the pods of a Kubernetes node", "esc-agent");
  app.set_version_flag("--version", "esc-agent " + std::string(escagent::kVersion));
  app.require_subcommand(1);
  command::AddRun(app, exit_code);
  command::AddMount(app, exit_code);
  command::AddStatus(app, exit_code);
  command::AddRefresh(app, exit_code);
  command::AddEval(app, exit_code);
  command::AddDevServer(app, exit_code);
  // The one place that meets CLI11's exceptions.
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // --help and --version are exceptions too, with exit code 0.
    return app.exit(e) == 0 ? command::kDone : command::kWrongUsage;
  }
  return exit_code;
}
