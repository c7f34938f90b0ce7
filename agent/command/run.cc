#include "agent/command/run.h"

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>

#include "agent/app.h"
#include "agent/command/flags.h"
#include "agent/command/output.h"
#include "agent/command/paths.h"
#include "agent/command/signals.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process_memory.h"
#include "base/sandbox.h"
#include "base/version.h"

namespace escagent::command {

std::vector<Flag> RunFlags() {
  const std::string plugin_dir = std::string(kKubeletDir) + "/plugins/" + kDriverName;
  return {
      {.name = "node-name",
       .help = "the node's name in Kubernetes",
       .fallback = "",
       .environment = {"NODE_NAME"}},
      {.name = "driver-name", .help = "the CSI driver's name", .fallback = kDriverName},
      {.name = "csi-endpoint",
       .help = "where kubelet's CSI calls arrive, unix:///absolute/path.sock",
       .fallback = "unix://" + plugin_dir + "/csi.sock",
       .environment = {"CSI_ENDPOINT"}},
      {.name = "registration-socket",
       .help = "the socket in kubelet's plugins_registry folder; \"none\" to not register",
       .fallback = std::string(kKubeletDir) + "/plugins_registry/" + kDriverName + "-reg.sock"},
      {.name = "kubelet-registration-path",
       .help = "the CSI socket's path as kubelet sees it; by default that of --csi-endpoint",
       .fallback = ""},
      {.name = "kubelet-dir", .help = "kubelet's root folder", .fallback = kKubeletDir},
      {.name = "keeper-socket",
       .help = "esc-keeper's socket: it mounts for this agent, which drops its privileges",
       .fallback = ""},
      {.name = "esc-url",
       .help = "Pulumi's API, for stores that set no apiUrl",
       .fallback = kDefaultEscUrl,
       .environment = {"PULUMI_BACKEND_URL"}},
      {.name = "esc-ca-file",
       .help = "PEM file with the CA of a self-hosted backend, instead of the system's CAs",
       .fallback = ""},
      {.name = "allow-plain-http",
       .help = "allow http:// backends other than loopback (the token travels in the clear)",
       .fallback = "false",
       .is_switch = true},
      {.name = "http-listen",
       .help = "health, metrics and status page, HOST:PORT; \"none\" for no listener",
       .fallback = "127.0.0.1:9808"},
      {.name = "webhook-secret-file",
       .help = "take ESC's webhooks at --http-listen, POST /webhooks/pulumi-esc, signed with the "
               "secret in this file",
       .fallback = ""},
      {.name = "admin-socket", .help = "socket for status and refresh", .fallback = kAdminSocket},
      {.name = "refresh-interval",
       .help = "how often to look for changes of an environment",
       .fallback = "10s"},
      {.name = "max-stale",
       .help = "how long the last good values may be given to new pods while ESC is away",
       .fallback = "24h"},
      {.name = "max-age",
       .help =
           "open an environment at least this often although nothing in it has changed; 0: never",
       .fallback = "24h"},
      {.name = "max-age-dynamic",
       .help = "the same where providers answer (fn::open, fn::rotate), which can change unseen",
       .fallback = "5m"},
      {.name = "max-age-unknown",
       .help = "the same where not all imports may be looked at",
       .fallback = "10m"},
      {.name = "share-probes",
       .help =
           "look at ESC once for all agents of the cluster instead of once for each, where there "
           "is an API server that lets them: on or off",
       .fallback = "on"},
      {.name = "stores",
       .help =
           "folder with (Cluster)SecretStore YAML files for volumes, instead of the API server's",
       .fallback = ""},
      {.name = "mirror",
       .help = "mirror ExternalSecrets into Kubernetes Secrets: auto (if there is an API server), "
               "on or off",
       .fallback = "auto"},
      {.name = "kubeconfig",
       .help = "how to reach the API server; by default as the pod's service account",
       .fallback = ""},
      {.name = "namespace",
       .help = "namespace of the agents' leases; by default the pod's own",
       .fallback = "",
       .environment = {"POD_NAMESPACE"}},
      {.name = "watch-namespaces",
       .help = "serve stores, ExternalSecrets and PushSecrets of these namespaces only (a,b), with "
               "rights in these only: no cluster-scoped stores, no ClusterExternalSecrets; by "
               "default of all",
       .fallback = ""},
      {.name = "controller-class",
       .help = "stores with another spec.controller are left to others",
       .fallback = "esc-agent"},
      {.name = "eso-compat",
       .help = "render values as External Secrets Operator does: all, none, or a list of nested, "
               "floats, empty-extract, null",
       .fallback = "none"},
      {.name = "audit-log",
       .help = "write who opened which key to this file, JSON lines; \"-\" for standard output; by "
               "default nowhere",
       .fallback = ""},
      {.name = "log-level", .help = "debug, info, warn or error", .fallback = "info"},
  };
}

namespace {

void ReadMirrorOptions(FlagSet& flags, AppOptions& options) {
  options.kubeconfig = flags.Text("kubeconfig");
  if (options.stores_dir.empty() && options.kubeconfig.empty() &&
      std::getenv("KUBERNETES_SERVICE_HOST") == nullptr) {
    flags.AddError(
        "--stores: must name a folder with (Cluster)SecretStore YAML files, or --kubeconfig an API "
        "server that has them, since this is not a pod");
  }
  options.namespace_name = flags.Text("namespace");
  if (auto scope = kube::NamespaceScope::Parse(flags.Text("watch-namespaces"))) {
    options.watch_namespaces = *std::move(scope);
  } else {
    flags.AddError("--watch-namespaces: " + scope.error().message);
  }
  const std::string mirror = flags.OneOf("mirror", {"auto", "on", "off"});
  if (mirror == "on") options.mirror = MirrorMode::kOn;
  if (mirror == "off") options.mirror = MirrorMode::kOff;
  options.share_probes = flags.OneOf("share-probes", {"on", "off"}) == "on";
  options.controller_class = flags.Text("controller-class");
  if (options.controller_class.empty()) flags.AddError("--controller-class: must not be empty");
  if (Result<mirror::Compat> compat = mirror::ParseCompat(flags.Text("eso-compat"))) {
    options.compat = *compat;
  } else {
    flags.AddError("--eso-compat: " + compat.error().message);
  }
}

AppOptions ReadAppOptions(FlagSet& flags) {
  AppOptions options;
  options.node_name = flags.Text("node-name");
  if (options.node_name.empty()) {
    flags.AddError("--node-name: must be set (in a DaemonSet from spec.nodeName, as NODE_NAME)");
  }
  options.driver_name = flags.Text("driver-name");
  options.csi_endpoint = flags.Text("csi-endpoint");
  if (!options.csi_endpoint.starts_with("unix:///")) {
    flags.AddError("--csi-endpoint: \"" + options.csi_endpoint +
                   "\" must be like unix:///csi/csi.sock");
  }
  if (flags.Text("registration-socket") != "none") {
    options.registration_socket = flags.AbsolutePath("registration-socket");
  }
  options.kubelet_registration_path = flags.AbsolutePath("kubelet-registration-path");
  if (options.kubelet_registration_path.empty() && options.csi_endpoint.starts_with("unix://")) {
    options.kubelet_registration_path = options.csi_endpoint.substr(7);
  }
  options.kubelet_dir = flags.AbsolutePath("kubelet-dir");
  options.keeper_socket = flags.AbsolutePath("keeper-socket");
  options.esc_url = flags.Text("esc-url");
  if (!options.esc_url.starts_with("https://") && !options.esc_url.starts_with("http://")) {
    flags.AddError("--esc-url: \"" + options.esc_url + "\" must start with https://");
  }
  options.esc_ca_file = flags.AbsolutePath("esc-ca-file");
  options.allow_plain_http = flags.Switch("allow-plain-http");
  options.stores_dir = flags.Text("stores");
  if (!options.stores_dir.empty() && !std::filesystem::is_directory(options.stores_dir)) {
    flags.AddError("--stores: \"" + options.stores_dir + "\" is not a folder");
  }
  ReadMirrorOptions(flags, options);
  options.admin_socket = flags.AbsolutePath("admin-socket");
  options.webhook_secret_file = flags.AbsolutePath("webhook-secret-file");
  if (!options.webhook_secret_file.empty() && flags.Text("http-listen") == "none") {
    flags.AddError("--webhook-secret-file: webhooks arrive at --http-listen, which is none");
  }
  options.audit_log =
      flags.Text("audit-log") == "-" ? std::string("-") : flags.AbsolutePath("audit-log");
  options.refresh_interval = flags.Duration("refresh-interval", std::chrono::seconds(1));
  options.max_stale = flags.Duration("max-stale", std::chrono::milliseconds(0));
  options.max_age = {.known = flags.Duration("max-age", std::chrono::milliseconds(0)),
                     .dynamic = flags.Duration("max-age-dynamic", std::chrono::milliseconds(0)),
                     .unknown = flags.Duration("max-age-unknown", std::chrono::milliseconds(0))};
  if (const std::string& text = flags.Text("http-listen"); text != "none") {
    if (auto address = ListenAddress::Parse(text)) {
      options.http_listen = *std::move(address);
    } else {
      flags.AddError("--http-listen: " + address.error().message);
    }
  }
  return options;
}

int Run(FlagSet& flags) {
  flags.Resolve();
  const AppOptions options = ReadAppOptions(flags);
  const Result<LogLevel> level = ParseLogLevel(flags.Text("log-level"));
  if (!level) flags.AddError("--log-level: " + level.error().message);
  if (const int code = ReportUsage(flags); code != kDone) return code;
  SetLogLevel(*level);

  LimitMallocArenas();
  ProtectProcessMemory();
  Signals::Block();
  SystemClock clock;
  std::atomic<bool> fatal = false;
  if (!options.keeper_socket.empty()) {
    if (const Status dropped = DropPrivileges(); !dropped) {
      LogError("the agent cannot give up its privileges", {{log_key::kError, dropped.error()}});
      return kFailed;
    }
  }
  Result<std::unique_ptr<App>> app = App::Start(options, clock,
                                                {.on_fatal =
                                                     [&fatal] {
                                                       fatal = true;
                                                       Signals::Send(SIGTERM);
                                                     },
                                                 .on_drain =
                                                     [] {
                                                       LogInfo("another agent takes over", {});
                                                       Signals::Send(SIGTERM);
                                                     }});
  if (!app) {
    LogError("the agent cannot start", {{log_key::kError, app.error()}});
    // What the configuration says is wrong, as opposed to what the machine lacks.
    return app.error().code == Code::kInvalidArgument ? kWrongUsage : kFailed;
  }
  TrimProcessMemory();
  int signal = Signals::Wait();
  for (; signal == SIGHUP; signal = Signals::Wait()) (*app)->Reload();
  LogInfo("stopping", {{log_key::kSignal, signal}});
  return fatal ? kFailed : kDone;
}

}  // namespace

void AddRun(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("run", "The node agent");
  auto flags = std::make_shared<FlagSet>(*command, RunFlags());
  command->callback([flags, &exit_code] { exit_code = Run(*flags); });
}

}  // namespace escagent::command
