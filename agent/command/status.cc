#include "agent/command/status.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "agent/command/flags.h"
#include "agent/command/output.h"
#include "agent/command/paths.h"
#include "agent/status/admin_protocol.h"
#include "base/json.h"

namespace escagent::command {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kAnswerTimeout{10};

std::vector<Flag> AdminFlags() {
  return {{.name = "admin-socket", .help = "the agent's admin socket", .fallback = kAdminSocket}};
}

// The answer, or the error it carries.
Result<json> Ask(const std::string& socket, const std::string& request) {
  ESC_ASSIGN_OR_RETURN(const std::string text, status::AskAgent(socket, request, kAnswerTimeout));
  ESC_ASSIGN_OR_RETURN(json answer, ParseJson(text, "the agent's answer"));
  if (!answer.is_object()) return Internal("read the agent's answer: not a JSON object");
  if (answer.contains("error")) return FailedPrecondition(answer["error"].get<std::string>());
  return answer;
}

std::string Text(const json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return "-";
  if (it->is_string()) return it->get<std::string>().empty() ? "-" : it->get<std::string>();
  return it->dump();
}

// "3s" from a number of seconds.
std::string Age(const json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number()) return "-";
  return std::to_string(std::llround(it->get<double>())) + "s";
}

std::string DescribeMirror(const json& mirror) {
  std::string held;
  for (const json& shard : mirror["shards"]) {
    if (shard["ours"] == true) held += " " + Text(shard, "shard");
  }
  const json& objects = mirror["externalSecrets"];
  std::string out = "mirror: shards" + (held.empty() ? " none" : held) + "; ExternalSecrets " +
                    Text(objects, "total") + ", ready " + Text(objects, "ready") + ", failed " +
                    Text(objects, "failed") + ", waiting " + Text(objects, "waiting") + "\n";
  std::vector<std::vector<std::string>> failures = {{"EXTERNALSECRET", "ERROR"}};
  for (const json& failure : objects["failures"]) {
    failures.push_back(
        {Text(failure, "namespace") + "/" + Text(failure, "name"), Text(failure, "error")});
  }
  return failures.size() > 1 ? out + "\n" + FormatTable(failures) : out;
}

std::string Describe(const json& report) {
  const json& agent = report["agent"];
  std::string out = "esc-agent " + Text(agent, "version") + " on node " + Text(agent, "node") +
                    ", driver " + Text(agent, "driver") +
                    (agent.value("registered", false) ? ", registered with kubelet"
                                                      : ", not registered with kubelet") +
                    "\n";
  std::vector<std::vector<std::string>> environments = {
      {"ENVIRONMENT", "REVISION", "FRESH", "NEXT", "USERS", "ERROR"}};
  for (const json& e : report["environments"]) {
    environments.push_back({Text(e, "environment"), Text(e, "revision"), Age(e, "freshSecondsAgo"),
                            Age(e, "nextRefreshSeconds"), Text(e, "subscribers"),
                            Text(e, "error")});
  }
  std::vector<std::vector<std::string>> volumes = {
      {"POD", "STORE", "ENVIRONMENT", "GENERATION", "FRESH", "CONDITION"}};
  for (const json& v : report["volumes"]) {
    volumes.push_back({Text(v, "namespace") + "/" + Text(v, "pod"), Text(v, "store"),
                       Text(v, "environment"), Text(v, "generation"), Age(v, "freshSecondsAgo"),
                       Text(v, "condition")});
  }
  out += "\n" + (environments.size() > 1 ? FormatTable(environments) : "no environments\n");
  out += "\n" + (volumes.size() > 1 ? FormatTable(volumes) : "no volumes\n");
  return report.contains("mirror") ? out + "\n" + DescribeMirror(report["mirror"]) : out;
}

}  // namespace

void AddStatus(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "status", "Ask the local agent: volumes, environments, ages, errors (never values)");
  auto flags = std::make_shared<FlagSet>(*command, AdminFlags());
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print JSON");
  command->callback([flags, as_json, &exit_code] {
    flags->Resolve();
    if (exit_code = ReportUsage(*flags); exit_code != kDone) return;
    const Result<json> report = Ask(flags->Text("admin-socket"), "status");
    if (!report) {
      exit_code = Fail(report.error());
      return;
    }
    Print(*as_json ? DumpJson(*report, 2) + "\n" : Describe(*report));
  });
}

void AddRefresh(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("refresh", "Make the local agent look for changes now, without waiting");
  auto flags = std::make_shared<FlagSet>(*command, AdminFlags());
  auto environment = std::make_shared<std::string>();
  command->add_option("environment", *environment, "ORG/PROJECT/ENV; all when absent");
  command->callback([flags, environment, &exit_code] {
    flags->Resolve();
    if (exit_code = ReportUsage(*flags); exit_code != kDone) return;
    const Result<json> answer = Ask(flags->Text("admin-socket"), "refresh " + *environment);
    if (!answer) {
      exit_code = Fail(answer.error());
      return;
    }
    Print("refreshing " + Text(*answer, "environments") + " environment(s)\n");
  });
}

}  // namespace escagent::command
