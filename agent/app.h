#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/cache/import_closure.h"
#include "agent/mirror/value_text.h"
#include "base/clock.h"
#include "base/listen_address.h"
#include "base/result.h"
#include "kube/namespace_scope.h"

namespace escagent {

// Whether to mirror into Kubernetes Secrets. kAuto: if there is an API server.
enum class MirrorMode { kAuto, kOn, kOff };

// What `esc-agent run` is told by its flags, checked.
struct AppOptions {
  std::string node_name;
  std::string driver_name;
  std::string csi_endpoint;  // "unix:///csi/csi.sock"
  // Where kubelet looks for drivers, as this process sees it; empty: do not register.
  std::string registration_socket;
  // The CSI socket's path as kubelet sees it.
  std::string kubelet_registration_path;
  std::string kubelet_dir;
  // Where esc-keeper listens; empty: this process mounts by itself, as root.
  std::string keeper_socket;
  std::string esc_url;
  std::string esc_ca_file;
  bool allow_plain_http = false;
  // Stores from files instead of the API server; empty: from the API server.
  std::string stores_dir;
  // Empty: the pod's own service account.
  std::string kubeconfig;
  // Of the agents' leases; empty: the pod's own, or the kubeconfig's.
  std::string namespace_name;
  // Whose stores and objects are served.
  kube::NamespaceScope watch_namespaces;
  MirrorMode mirror = MirrorMode::kAuto;
  // Stores with another spec.controller are another's.
  std::string controller_class;
  mirror::Compat compat;
  // Who opened which key is written to this file ("-": standard output); empty: nowhere.
  std::string audit_log;
  std::optional<ListenAddress> http_listen;
  std::string admin_socket;
  std::chrono::milliseconds refresh_interval{10000};
  std::chrono::milliseconds max_stale{0};
  // How old values may get that HEAD cannot be trusted for.
  cache::MaxAge max_age{};
  // Look at ESC once for all agents of the cluster, where there is one and the rights for it.
  bool share_probes = true;
  // File with the secret of ESC's webhooks; empty: none are taken.
  std::string webhook_secret_file;
};

// The node agent: the composition root, and the only place where the parts meet. Starting it brings
// the parts up in the order of their dependencies (caches first, the registration socket last);
// destroying it takes them down in reverse. Mounts stay in place.
//
// With a keeper, what an agent before this one had mounted is served first of all, before stores
// are read or ESC is asked; and the end is a handover: what was read is answered, no more is read.
class App {
 public:
  // Why the process should end, from any thread; the callbacks must not block.
  struct Callbacks {
    // The agent cannot go on (kubelet refused the registration).
    std::function<void()> on_fatal;
    // Another agent wants to take over: it waits 2 s for this one to be destroyed.
    std::function<void()> on_drain;
  };
  static Result<std::unique_ptr<App>> Start(const AppOptions& options, Clock& clock,
                                            Callbacks callbacks);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Reads stores and tokens again now (SIGHUP), which also happens by itself every few seconds, and
  // opens the audit log anew.
  void Reload();

 private:
  class Impl;
  explicit App(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent
