#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "kube/child_process.h"
#include "kube/token_source.h"

namespace escagent::kube {

// Tokens from a kubeconfig's exec plugin (client.authentication.k8s.io v1 and v1beta1, "Kubernetes
// authentication: client-go credential plugins"). The program is told what is wanted in
// KUBERNETES_EXEC_INFO, has no terminal and 30 s, and prints an ExecCredential. Its token is used
// until shortly before its expirationTimestamp (without one: as long as the server takes it). After
// a failure the next run waits (1 s, doubled up to a minute); a token that is still good is used
// meanwhile. One run at a time, the others wait for it. Thread-safe.
//
// Client certificates from a plugin are refused with an error: connections are set up before it
// runs. A process under base/syscall_filter.h (the agent beside a keeper) cannot run plugins; the
// error says so. In a cluster nobody needs them.
class ExecToken final : public TokenSource {
 public:
  // `config`: the cluster that the plugin may be told about.
  ExecToken(const ExecPlugin& plugin, const Config& config, Clock& clock);

  Result<std::shared_ptr<const Secret>> Get(const std::stop_token& stop) override EXCLUDES(mutex_);
  void Refused(const std::shared_ptr<const Secret>& token) override EXCLUDES(mutex_);

 private:
  struct Credential {
    std::shared_ptr<const Secret> token;
    std::optional<Clock::WallTime> expires;
  };

  // Whether the token at hand serves, or nothing can be done about it now.
  bool IsSettled() const REQUIRES(mutex_);
  bool IsExpired() const REQUIRES(mutex_);
  Result<std::shared_ptr<const Secret>> Current() const REQUIRES(mutex_);
  void Take(Result<Credential> credential) REQUIRES(mutex_);
  Result<Credential> Run(const std::stop_token& stop) const;
  Result<Credential> Read(const Secret& text) const;
  std::unexpected<Error> Fail(const std::string& cause) const;

  const ExecPlugin plugin_;
  const ChildProgram program_;
  Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  bool running_ GUARDED_BY(mutex_) = false;
  bool wanted_ GUARDED_BY(mutex_) = true;  // another token than the one at hand
  Credential credential_ GUARDED_BY(mutex_);
  std::optional<Clock::WallTime> renew_at_ GUARDED_BY(mutex_);
  std::optional<Error> failure_ GUARDED_BY(mutex_);  // of the last run
  Clock::TimePoint next_run_ GUARDED_BY(mutex_);     // not before
  Backoff backoff_ GUARDED_BY(mutex_);
};

}  // namespace escagent::kube
