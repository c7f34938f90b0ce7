#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "agent/command/dev_server.h"
#include "agent/command/doctor.h"
#include "agent/command/eval.h"
#include "agent/command/mount.h"
#include "agent/command/output.h"
#include "agent/command/run.h"
#include "agent/command/status.h"
#include "base/strings.h"
#include "base/version.h"

namespace {

// Whether the first argument is a command or an option. Says so when it is neither, as CLI11 would
// only say that a command is missing.
bool IsKnown(const CLI::App& app, const std::string& argument) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (argument.starts_with('-') || std::find(names.begin(), names.end(), argument) != names.end()) {
    return true;
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto nearest = escagent::Nearest(argument, known);
  std::fprintf(stderr, "esc-agent: unknown command \"%s\"%s\n", argument.c_str(),
               nearest ? ("; did you mean \"" + std::string(*nearest) + "\"?").c_str()
                       : "; see esc-agent --help");
  return false;
}

}  // namespace

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
  command::AddDoctor(app, exit_code);
  command::AddEval(app, exit_code);
  command::AddDevServer(app, exit_code);
  if (argc > 1 && !IsKnown(app, argv[1])) return command::kWrongUsage;
  // The one place that meets CLI11's exceptions.
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // --help and --version are exceptions too, with exit code 0.
    return app.exit(e) == 0 ? command::kDone : command::kWrongUsage;
  }
  return exit_code;
}
