#include "agent/command/doctor.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/command/flags.h"
#include "agent/command/output.h"
#include "agent/command/run.h"
#include "agent/doctor/doctor.h"
#include "agent/doctor/report.h"
#include "base/clock.h"
#include "base/curl_transport.h"
#include "base/json.h"
#include "base/strings.h"
#include "base/version.h"

namespace escagent::command {
namespace {

constexpr std::string_view kUnixScheme = "unix://";

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void ReadParts(FlagSet& flags, const std::string& only, doctor::Options& options) {
  if (only.empty()) return;
  const std::vector<std::string_view> parts = Split(only, ',');
  const auto has = [&](std::string_view part) {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  options.node = has("node");
  options.agent = has("agent");
  options.cluster = has("cluster");
  options.esc = has("esc");
  for (const std::string_view part : parts) {
    if (part == "node" || part == "agent" || part == "cluster" || part == "esc") continue;
    flags.AddError("--only: \"" + std::string(part) + "\" is not one of node, agent, cluster, esc");
  }
}

doctor::Options ReadOptions(FlagSet& flags) {
  doctor::Options options;
  options.kubelet_dir = flags.AbsolutePath("kubelet-dir");
  options.keeper_socket = flags.AbsolutePath("keeper-socket");
  options.admin_socket = flags.AbsolutePath("admin-socket");
  options.csi_socket = flags.Text("csi-endpoint");
  if (!options.csi_socket.starts_with(kUnixScheme)) {
    flags.AddError("--csi-endpoint: \"" + options.csi_socket + "\" must be like unix:///csi.sock");
  } else {
    options.csi_socket.erase(0, kUnixScheme.size());
  }
  if (flags.Text("registration-socket") != "none") {
    options.registration_socket = flags.AbsolutePath("registration-socket");
  }
  options.driver_name = flags.Text("driver-name");
  options.node_name = flags.Text("node-name");
  options.kubeconfig = flags.Text("kubeconfig");
  options.namespace_name = flags.Text("namespace");
  if (auto scope = kube::NamespaceScope::Parse(flags.Text("watch-namespaces"))) {
    options.watch_namespaces = *std::move(scope);
  } else {
    flags.AddError("--watch-namespaces: " + scope.error().message);
  }
  options.controller_class = flags.Text("controller-class");
  options.stores_dir = flags.Text("stores");
  // "auto" is on where there is an API server, and without one nothing is asked.
  options.mirror = flags.OneOf("mirror", {"auto", "on", "off"}) != "off";
  options.esc_url = flags.Text("esc-url");
  while (options.esc_url.ends_with('/')) options.esc_url.pop_back();
  return options;
}

int Run(FlagSet& flags, const std::string& only, bool as_json) {
  flags.Resolve();
  doctor::Options options = ReadOptions(flags);
  ReadParts(flags, only, options);
  const CurlOptions http{.user_agent = "esc-agent/" + std::string(kVersion),
                         .tls = {.ca_file = flags.AbsolutePath("esc-ca-file")},
                         .allow_plain_http = flags.Switch("allow-plain-http")};
  if (const int code = ReportUsage(flags); code != kDone) return code;
  // A dead name server must not take longer than the rest. Before there are threads.
  setenv("RES_OPTIONS", "timeout:2 attempts:1", /*overwrite=*/0);
  CurlTransport transport(http);
  SystemClock clock;
  const auto groups = doctor::Examine(options, transport, clock, Environment);
  Print(as_json ? DumpJson(doctor::ToJson(groups), 2) + "\n" : doctor::ToText(groups));
  return doctor::HasFailure(groups) ? kFailed : kDone;
}

}  // namespace

void AddDoctor(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "doctor",
      "Look at the node, the agent, the cluster and ESC, and print what to fix; takes the "
      "flags and variables of run");
  auto flags = std::make_shared<FlagSet>(*command, RunFlags());
  auto as_json = std::make_shared<bool>(false);
  auto only = std::make_shared<std::string>();
  command->add_flag("--json", *as_json, "Print JSON");
  command
      ->add_option("--only", *only,
                   "Parts to look at, of node, agent, cluster, esc; all when absent")
      ->type_name("");
  command->callback(
      [flags, as_json, only, &exit_code] { exit_code = Run(*flags, *only, *as_json); });
}

}  // namespace escagent::command
