#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/devserver/environment_state.h"
#include "esc/devserver/faults.h"
#include "esc/devserver/oidc_issuer.h"
#include "esc/devserver/request_counters.h"
#include "esc/eval/local_providers.h"

namespace escagent::devserver {

// A server with Pulumi ESC's REST API (reference/esc-api.md (a)), for demonstrations, development
// and tests without Pulumi Cloud. The environments are files:
// DIR/organization/project/environment.yaml, evaluated by esc/eval. An edit on disk is a new
// revision, and an update over the API an edit on disk; several servers may use one folder. Strict
// enough in its answers for the official SDKs.
//
// Beside the API: /debug/requests counts the requests of each route (GET, DELETE), /debug/faults
// makes the server misbehave (GET, POST adds, PUT replaces, DELETE; see Fault), /debug/tokens lists
// and revokes (DELETE ?login= or ?id=) the access tokens that the server has issued. They ask for
// no token, and values are served over plain HTTP: not for production.
//
// Serves on threads of its own from Start() until it is destroyed. The methods are thread-safe.
class Server {
 public:
  struct Options {
    std::string definitions_dir;
    std::string listen = "127.0.0.1:0";
    // Accepted beside those that the server has issued. Absent: any that is not empty, but none
    // other than the issued ones with `oidc`.
    std::optional<Secret> token;
    // Who gets tokens for what; absent: nobody.
    std::optional<OidcOptions> oidc{};
    // What fn::open may open.
    eval::LocalProviderOptions providers{};
    // Keep history, tags, settings and the key of ciphertext in DIR/.esc-agent. Where that cannot
    // be, a line is logged and they live as long as the server.
    bool keep_state = true;
    // Told of what happens to every environment, beside their own webhooks.
    std::optional<Webhook> webhook{};
    // Answer 200 where ESC answers 204 and SDKs before 0.14 want 200.
    bool answer_200 = false;
    // Of sessions that are opened without a duration.
    std::chrono::seconds default_session = std::chrono::hours(1);
    // When sessions expire, and how delays pass. Borrowed; null: the system's.
    Clock* clock = nullptr;
  };

  // INVALID_ARGUMENT for a bad address or a folder that is none, UNAVAILABLE for a port in use,
  // FAILED_PRECONDITION for a broken key in DIR/.esc-agent.
  static Result<std::unique_ptr<Server>> Start(Options options);
  // Ends all requests, also hanging ones.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  // "http://127.0.0.1:8080", without a path.
  std::string url() const;

  Faults& faults();
  RequestCounters& counters();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::devserver
