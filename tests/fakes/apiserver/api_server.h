#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tests/fakes/apiserver/authenticator.h"
#include "tests/fakes/apiserver/faults.h"
#include "tests/fakes/apiserver/request_log.h"

namespace escagent::apiserver {

// A stand-in for kube-apiserver, for tests, demonstrations and benchmarks: real HTTP, objects in
// memory. It answers as the real one does, failures included, for the kinds, verbs and parameters
// that the agent uses; what it does not know is refused with a Status of 404, 405, 415 or 501,
// never silently taken. What it knows of Kubernetes:
//
//  - namespaces, secrets, configmaps, events, serviceaccounts (and /token), pods, leases,
//    deployments, statefulsets, daemonsets, the kinds of RBAC, csidrivers, csinodes, tokenreviews,
//    selfsubjectaccessreviews, and every version of the CustomResourceDefinitions that are loaded
//    or posted (pruning, defaults, validation; rules in CEL are not evaluated; conversion None
//    only);
//  - get, list (limit and continue, selectors), watch (bookmarks, sendInitialEvents, 410), create,
//    update, the four kinds of patch, delete and deletecollection, /status, PartialObjectMetadata;
//  - metadata.managedFields and server-side apply, optimistic concurrency, finalizers;
//  - bearer tokens, client certificates, RBAC where it is asked for;
//  - at once, what kube-controller-manager does with owner references and deleted namespaces.
//
// Beside the API, without authentication: /fake/faults (GET, POST adds, PUT replaces, DELETE),
// /fake/counters (GET, DELETE), /fake/requests, /fake/watches (GET; POST below it cut and expire,
// ?resource=TABLE), POST /fake/compact, /fake/down, /fake/up.
//
// Serves on threads of its own from Start() until it is destroyed. The methods are thread-safe.
class ApiServer {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";
    // HTTPS with a certificate authority made for this server; client certificates are taken.
    bool tls = false;
    // Bearer tokens and whose they are, beside the administrator's own.
    std::map<std::string, User> tokens;
    // Requests without credentials are those of system:anonymous, instead of 401.
    bool anonymous = false;
    // Decide by RBAC. Otherwise whoever is authenticated may do everything.
    bool rbac = false;
    // Owner references and deleted namespaces are taken care of at once.
    bool controllers = true;
    // How many changes of each kind a watch can go back.
    std::size_t watch_history = 50000;
    std::chrono::milliseconds bookmark_interval{60000};
  };

  // INVALID_ARGUMENT for a bad address, UNAVAILABLE for a port in use.
  static Result<std::unique_ptr<ApiServer>> Start(Options options);
  // Ends all requests, also watches and hanging ones.
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  int port() const;
  // "http://127.0.0.1:8080" or "https://...", without a path.
  std::string url() const;
  // The certificate authority in PEM; empty without TLS.
  std::string ca_pem() const;
  // A token of a user in system:masters.
  const std::string& admin_token() const;

  // A kubeconfig (YAML) for the administrator, with a client certificate under TLS, else a token.
  std::string Kubeconfig() const;
  // One for another user, by a token, in a namespace.
  std::string KubeconfigFor(const std::string& token, const std::string& name_space) const;
  void AddToken(const std::string& token, User user);
  void RevokeToken(const std::string& token);

  // Creates or replaces the objects of a YAML or JSON text, as an administrator would, without
  // HTTP.
  Status Load(std::string_view text, std::string_view what);
  // The same with every *.yaml, *.yml and *.json in a folder, or with one file;
  // CustomResourceDefinitions and Namespaces come first. Files named kustomization.yaml are left
  // out.
  Status LoadPath(const std::string& path);

  // Forgets the history: watches and pieces of lists from before get 410.
  void Compact();
  // Ends open watches of a kind (its table: "secrets", "externalsecrets.external-secrets.io"), or
  // all when empty: by closing the connection, or by an ERROR event of 410.
  void CutWatches(const std::string& table = "");
  void ExpireWatches(const std::string& table = "");
  std::size_t watches() const;
  std::uint64_t revision() const;

  Faults& faults();
  RequestLog& log();

 private:
  class Impl;
  explicit ApiServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::apiserver
