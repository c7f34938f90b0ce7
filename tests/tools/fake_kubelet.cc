// fake-kubelet: calls a CSI driver on this machine as kubelet 1.36 would, without a cluster. Used
// by
// `./dev demo` and the system tests.
#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "base/duration.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/tools/kubelet.h"

namespace escagent::testing {
namespace {

struct Arguments {
  std::string kubelet_dir = "/var/lib/kubelet";
  std::string endpoint;
  std::string registry_dir;
  std::string timeout = "30s";
  std::vector<std::string> attributes;
  std::string token_file;
  std::string token_audience = "urn:pulumi:org:demo";
  bool tokens_in_volume_context = false;
  bool quiet = false;
  InlineVolume volume;
};

int Fail(std::string_view what, const Error& error) {
  std::cerr << "fake-kubelet: " << what << " failed: code = " << CodeName(error.code)
            << ", message = " << error.message << '\n';
  return 1;
}

Kubelet MakeKubelet(const Arguments& arguments) {
  Kubelet::Options options{.root = arguments.kubelet_dir, .say = {}};
  if (!arguments.quiet) {
    options.say = [](const std::string& text) { std::cerr << "  kubelet: " << text << '\n'; };
  }
  return Kubelet(std::move(options));
}

int Register(const Arguments& arguments) {
  const auto timeout = ParseDuration(arguments.timeout, "--timeout");
  if (!timeout) return Fail("register", timeout.error());
  const std::string registry = arguments.registry_dir.empty()
                                   ? arguments.kubelet_dir + "/plugins_registry"
                                   : arguments.registry_dir;
  const auto driver = MakeKubelet(arguments).Register(registry, *timeout, arguments.endpoint);
  if (!driver) return Fail("register", driver.error());
  std::cout << "driver " << driver->name << " at " << driver->endpoint << " on node "
            << driver->node_id << '\n';
  return 0;
}

Status ReadToken(Arguments& arguments) {
  if (arguments.token_file.empty()) return {};
  ESC_ASSIGN_OR_RETURN(const Secret token, ReadFile(arguments.token_file));
  const auto expiry = std::chrono::system_clock::now() + std::chrono::hours(1);
  const nlohmann::json tokens{
      {arguments.token_audience,
       {{"token", std::string(token.Reveal())}, {"expirationTimestamp", FormatTime(expiry)}}}};
  arguments.volume.service_account_tokens = DumpJson(tokens);
  arguments.volume.tokens_in_secrets = !arguments.tokens_in_volume_context;
  return {};
}

int Publish(Arguments arguments) {
  for (const std::string& attribute : arguments.attributes) {
    const auto equals = attribute.find('=');
    if (equals == std::string::npos) {
      return Fail("publish", Error{Code::kInvalidArgument, "--attribute must be KEY=VALUE", {}});
    }
    arguments.volume.attributes[attribute.substr(0, equals)] = attribute.substr(equals + 1);
  }
  if (const Status token = ReadToken(arguments); !token) return Fail("publish", token.error());
  const auto target = MakeKubelet(arguments).Publish(arguments.endpoint, arguments.volume);
  if (!target) return Fail("NodePublishVolume", target.error());
  std::cout << *target << '\n';
  return 0;
}

int Unpublish(const Arguments& arguments) {
  const Status status = MakeKubelet(arguments).Unpublish(arguments.endpoint, arguments.volume);
  return status ? 0 : Fail("NodeUnpublishVolume", status.error());
}

int Stats(const Arguments& arguments) {
  using Usage = ::csi::v1::VolumeUsage;
  const auto stats = MakeKubelet(arguments).Stats(arguments.endpoint, arguments.volume);
  if (!stats) return Fail("NodeGetVolumeStats", stats.error());
  for (const auto& usage : stats->usage()) {
    std::cout << (usage.unit() == Usage::BYTES ? "bytes" : "inodes") << ": " << usage.used()
              << " used of " << usage.total() << '\n';
  }
  std::cout << (stats->volume_condition().abnormal() ? "abnormal: " : "normal: ")
            << stats->volume_condition().message() << '\n';
  return 0;
}

int Probe(const Arguments& arguments) {
  const Status status = MakeKubelet(arguments).Probe(arguments.endpoint);
  if (!status) return Fail("Probe", status.error());
  std::cout << "ready\n";
  return 0;
}

void AddEndpoint(CLI::App* command, Arguments& arguments) {
  command->add_option("--endpoint", arguments.endpoint, "The driver's CSI socket")->required();
}

void AddVolume(CLI::App* command, Arguments& arguments) {
  AddEndpoint(command, arguments);
  command->add_option("--kubelet-dir", arguments.kubelet_dir, "kubelet's root directory");
  command->add_option("--pod-uid", arguments.volume.pod_uid, "The pod's uid")->required();
  command->add_option("--volume", arguments.volume.name, "The volume's name")->required();
}

void AddPublish(CLI::App* command, Arguments& arguments) {
  AddVolume(command, arguments);
  InlineVolume& volume = arguments.volume;
  command->add_option("--pod-name", volume.pod_name, "The pod's name")->required();
  command->add_option("--pod-namespace", volume.pod_namespace, "Its namespace")->required();
  command->add_option("--service-account", volume.service_account, "Its service account");
  command->add_option("--attribute", arguments.attributes,
                      "One of the volumeAttributes, KEY=VALUE; can be repeated");
  command->add_option("--fs-group", volume.fs_group, "The pod's fsGroup");
  command->add_option("--token-file", arguments.token_file, "A service-account token to pass on");
  command->add_option("--token-audience", arguments.token_audience, "The token's audience");
  command->add_flag("--token-in-volume-context", arguments.tokens_in_volume_context,
                    "Pass the token as kubelets without serviceAccountTokenInSecrets do");
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Calls a CSI driver on this machine as kubelet would", "fake-kubelet");
  app.require_subcommand(1);
  app.add_flag("--quiet", arguments.quiet, "Do not say what is being done");

  CLI::App* const register_command = app.add_subcommand("register", "Find and register the driver");
  register_command->add_option("--registry-dir", arguments.registry_dir,
                               "Default: plugins_registry in --kubelet-dir");
  register_command->add_option("--kubelet-dir", arguments.kubelet_dir, "kubelet's root directory");
  register_command->add_option("--timeout", arguments.timeout, "How long to wait for the socket");
  register_command->add_option("--endpoint", arguments.endpoint,
                               "Use this CSI socket instead of the announced one");
  CLI::App* const publish = app.add_subcommand("publish", "Publish a volume, print its path");
  AddPublish(publish, arguments);
  CLI::App* const unpublish = app.add_subcommand("unpublish", "Unpublish a volume");
  AddVolume(unpublish, arguments);
  CLI::App* const stats = app.add_subcommand("stats", "Print a volume's usage and condition");
  AddVolume(stats, arguments);
  CLI::App* const probe = app.add_subcommand("probe", "Ask the driver whether it is ready");
  AddEndpoint(probe, arguments);
  CLI11_PARSE(app, argc, argv);

  if (*register_command) return Register(arguments);
  if (*publish) return Publish(arguments);
  if (*unpublish) return Unpublish(arguments);
  if (*stats) return Stats(arguments);
  return Probe(arguments);
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) { return escagent::testing::Main(argc, argv); }
