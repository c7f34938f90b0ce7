#include "agent/command/eval.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "agent/command/output.h"
#include "base/file.h"
#include "base/strings.h"
#include "esc/eval/evaluator.h"
#include "esc/json_writer.h"

namespace escagent::command {
namespace {

// Imports from files: DIR/project/env.yaml, or DIR/env.yaml for a name without a project.
class FolderLoader final : public eval::EnvironmentLoader {
 public:
  explicit FolderLoader(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Result<Secret> Load(std::string_view name) override {
    if (name.find('@') != std::string_view::npos) {
      return FailedPrecondition("import " + std::string(name) + ": files have no versions");
    }
    for (const std::string_view part : Split(name, '/')) {
      if (part.empty() || part.starts_with('.')) {
        return InvalidArgument("import " + std::string(name) + ": not an environment's name");
      }
    }
    return ReadFile((folder_ / (std::string(name) + ".yaml")).string());
  }

 private:
  const std::filesystem::path folder_;
};

struct EvalArguments {
  std::string file;
  std::string imports;
  bool show_secrets = false;
};

int Eval(const EvalArguments& arguments) {
  const Result<Secret> definition = ReadFile(arguments.file);
  if (!definition) return Fail(definition.error());
  const std::filesystem::path file(arguments.file);
  FolderLoader loader(arguments.imports.empty() ? file.parent_path()
                                                : std::filesystem::path(arguments.imports));
  eval::EvalOptions options;
  options.environment = file.stem().string();
  options.loader = &loader;
  const eval::EvalResult result = eval::Evaluate(definition->Reveal(), options);
  for (const esc::Diagnostic& diagnostic : result.diagnostics) {
    const bool error = diagnostic.severity == esc::Diagnostic::Severity::kError;
    std::fprintf(stderr, "%s: %s\n", error ? "error" : "warning", diagnostic.ToString().c_str());
  }
  SecretBuilder json;
  esc::WriteJson(result.properties, {.indent = 2, .redact_secrets = !arguments.show_secrets}, json);
  json.Append('\n');
  Print(json.Reveal());
  return result.ok() ? kDone : kFailed;
}

}  // namespace

void AddEval(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("eval", "Evaluate an environment definition offline, print JSON");
  auto arguments = std::make_shared<EvalArguments>();
  command->add_option("file", arguments->file, "The definition, a YAML file")->required();
  command->add_option(
      "--imports", arguments->imports,
      "Where imported environments are: DIR/project/env.yaml (default: beside FILE)");
  command->add_flag("--show-secrets", arguments->show_secrets, "Print secrets instead of [secret]");
  command->callback([arguments, &exit_code] { exit_code = Eval(*arguments); });
}

}  // namespace escagent::command
