#include "agent/command/eval.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/command/output.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "esc/eval/environment_json.h"
#include "esc/eval/evaluator.h"
#include "esc/eval/json_reader.h"
#include "esc/eval/local_providers.h"
#include "esc/json_writer.h"

namespace escagent::command {
namespace {

// Imports from files: DIR/project/env.yaml, or DIR/env.yaml for a name without a project. A version
// is part of the file's name: DIR/project/env@v.yaml.
class FolderLoader final : public eval::EnvironmentLoader {
 public:
  explicit FolderLoader(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Result<Secret> Load(std::string_view name) override {
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
  std::string name;
  std::string context;
  std::string output = "values";
  bool show_secrets = false;
  bool check = false;
  bool rotate = false;
  std::vector<std::string> rotate_paths;
  std::string provider_files;
  std::vector<std::string> allow_env;
  bool allow_exec = false;
};

Result<esc::Value> ParseContext(const std::string& text) {
  eval::Budget budget(std::size_t{1} << 24);
  auto context = eval::ReadJsonValue(text, /*secret=*/false, nullptr, budget);
  if (!context || (*context)->kind != esc::Value::Kind::kObject) {
    return InvalidArgument("--context: must be a JSON object");
  }
  return eval::ToValue(**context);
}

Result<std::vector<esc::PropertyPath>> ParsePaths(const std::vector<std::string>& texts) {
  std::vector<esc::PropertyPath> paths;
  for (const std::string& text : texts) {
    auto path = esc::PropertyPath::Parse(text);
    if (!path) return std::unexpected(Annotate(path.error(), "--rotate-path " + text));
    paths.push_back(*std::move(path));
  }
  return paths;
}

std::string_view StatusName(eval::Rotation::Status status) {
  switch (status) {
    case eval::Rotation::Status::kSucceeded:
      return "succeeded";
    case eval::Rotation::Status::kFailed:
      return "failed";
    case eval::Rotation::Status::kNotEvaluated:
      return "not-evaluated";
  }
  return "";
}

// Writes the outcome in the forms that --output names.
class OutcomeWriter {
 public:
  OutcomeWriter(const eval::EvalResult& result, bool show_secrets)
      : result_(result), show_secrets_(show_secrets) {}

  Secret Write(const std::string& form) {
    if (form == "values") {
      esc::WriteJson(result_.properties, {.indent = 2, .redact_secrets = !show_secrets_}, out_);
    } else if (form == "redacted") {
      esc::WriteJson(result_.properties, {.indent = 2, .redact_secrets = true}, out_);
    } else if (form == "diagnostics") {
      WriteDiagnostics();
    } else if (form == "expressions") {
      eval::WriteExpressionsJson(result_, {.redact_secrets = !show_secrets_}, out_);
    } else if (form == "environment") {
      eval::WriteEnvironmentJson(result_, {.redact_secrets = !show_secrets_, .diagnostics = true},
                                 out_);
    } else {
      WriteAll();
    }
    out_.Append('\n');
    return out_.Finish();
  }

 private:
  void WriteDiagnostics() { out_.Append(DumpJson(esc::DiagnosticsToJson(result_.diagnostics))); }

  void WriteAll() {
    out_.Append("{\"diagnostics\":");
    WriteDiagnostics();
    out_.Append(",\"redacted\":");
    esc::WriteJson(result_.properties, {.redact_secrets = true}, out_);
    if (show_secrets_) {
      out_.Append(",\"revealed\":");
      esc::WriteJson(result_.properties, {}, out_);
    }
    out_.Append(",\"environment\":");
    eval::WriteEnvironmentJson(result_, {.redact_secrets = !show_secrets_}, out_);
    out_.Append(",\"rotations\":[");
    for (std::size_t i = 0; i < result_.rotations.size(); ++i) {
      if (i > 0) out_.Append(',');
      WriteRotation(result_.rotations[i]);
    }
    out_.Append("]}");
  }

  void WriteRotation(const eval::Rotation& rotation) {
    out_.Append("{\"path\":");
    esc::WriteJsonString(rotation.path, false, out_);
    out_.Append(",\"status\":");
    esc::WriteJsonString(StatusName(rotation.status), false, out_);
    if (rotation.status == eval::Rotation::Status::kSucceeded) {
      out_.Append(",\"patchPath\":");
      esc::WriteJsonString(rotation.patch_path, false, out_);
      out_.Append(",\"state\":");
      esc::WriteJson(rotation.state, {.redact_secrets = !show_secrets_}, out_);
    }
    out_.Append('}');
  }

  const eval::EvalResult& result_;
  const bool show_secrets_;
  SecretBuilder out_;
};

// On stderr, where the output has no place for them.
void PrintDiagnostics(const eval::EvalResult& result) {
  for (const esc::Diagnostic& diagnostic : result.diagnostics) {
    const bool error = diagnostic.severity == esc::Diagnostic::Severity::kError;
    std::fprintf(stderr, "%s: %s\n", error ? "error" : "warning", diagnostic.ToString().c_str());
  }
}

int WrongUsage(const Error& error) {
  Fail(error);
  return kWrongUsage;
}

int Eval(const EvalArguments& arguments) {
  eval::EvalOptions options;
  std::optional<esc::Value> context;
  if (!arguments.context.empty()) {
    auto parsed = ParseContext(arguments.context);
    if (!parsed) return WrongUsage(parsed.error());
    context = *std::move(parsed);
    options.context = &*context;
  }
  auto paths = ParsePaths(arguments.rotate_paths);
  if (!paths) return WrongUsage(paths.error());
  options.rotate_paths = *std::move(paths);
  const Result<Secret> definition = ReadFile(arguments.file);
  if (!definition) return Fail(definition.error());

  const std::filesystem::path file(arguments.file);
  FolderLoader loader(arguments.imports.empty() ? file.parent_path()
                                                : std::filesystem::path(arguments.imports));
  SystemClock clock;
  eval::ProviderRegistry providers;
  const Status added = eval::AddLocalProviders(
      {.files = arguments.provider_files,
       .allow_env = {arguments.allow_env.begin(), arguments.allow_env.end()},
       .allow_exec = arguments.allow_exec},
      clock, providers);
  if (!added) return Fail(added.error());
  options.environment = arguments.name.empty() ? file.stem().string() : arguments.name;
  options.loader = &loader;
  options.providers = &providers;
  options.show_secrets = arguments.show_secrets;
  if (arguments.check) options.mode = eval::EvalMode::kCheck;
  if (arguments.rotate || !options.rotate_paths.empty()) options.mode = eval::EvalMode::kRotate;
  const eval::EvalResult result = eval::Evaluate(definition->Reveal(), options);
  if (arguments.output == "values" || arguments.output == "redacted" ||
      arguments.output == "expressions") {
    PrintDiagnostics(result);
  }
  Print(OutcomeWriter(result, arguments.show_secrets).Write(arguments.output).Reveal());
  return result.ok() ? kDone : kFailed;
}

}  // namespace

void AddEval(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("eval", "Evaluate an environment definition offline, print JSON");
  auto arguments = std::make_shared<EvalArguments>();
  command->add_option("file", arguments->file, "The definition, a YAML file")->required();
  command->add_option("--imports", arguments->imports,
                      "Where imported environments are: DIR/project/env.yaml, a version as "
                      "DIR/project/env@version.yaml (default: beside FILE)");
  command->add_option("--name", arguments->name,
                      "The environment's own name (default: the file's, without .yaml)");
  command->add_option("--context", arguments->context,
                      "A JSON object for ${context...}, such as {\"pulumi\": {\"user\": ...}}");
  command
      ->add_option("--output", arguments->output,
                   "values; redacted; diagnostics; expressions; environment, as ESC's API writes "
                   "it; or all of these in one document")
      ->check(CLI::IsMember(
          {"values", "redacted", "diagnostics", "expressions", "environment", "all"}));
  command->add_flag("--show-secrets", arguments->show_secrets, "Print secrets instead of [secret]");
  CLI::Option* check = command->add_flag("--check", arguments->check,
                                         "Open no provider: what it would bring is unknown");
  command->add_flag("--rotate", arguments->rotate, "Rotate first; nothing is written back")
      ->excludes(check);
  command->add_option("--rotate-path", arguments->rotate_paths, "Rotate only the value at a path")
      ->excludes(check);
  command->add_option("--provider-files", arguments->provider_files,
                      "Let fn::open::file read the files below this folder");
  command->add_option("--allow-env", arguments->allow_env,
                      "Let fn::open::env read a variable of the environment (repeatable)");
  command->add_flag("--allow-exec", arguments->allow_exec,
                    "Let fn::open::exec run programs: for definitions that you wrote yourself");
  command->callback([arguments, &exit_code] { exit_code = Eval(*arguments); });
}

}  // namespace escagent::command
