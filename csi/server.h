#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "csi/server_options.h"
#include "csi/volume_service.h"

namespace escagent::csi {

// Listening sockets that somebody else (esc-keeper) made, bound and keeps: calls wait in their
// backlogs while no server accepts. A server neither removes nor makes them again. Each may be
// none.
struct AdoptedSockets {
  UniqueFd csi;
  UniqueFd registration;
};

// The CSI driver's gRPC server: Identity and Node on the CSI socket, Registration on the
// registration socket. They are its own, both mode 0600, or adopted ones. One gRPC server stands
// behind both, so every method can be called on either: harmless, as the same root-only peers
// reach them.
//
// Threads: 1 for the quick methods (Identity, Registration, capabilities, info), 4 for publish,
// 2 for unpublish and stats, 1 that accepts; more calls wait their turn. Slow publishes thus
// delay neither a health probe nor an unpublish, and those that wait for ESC (VolumeService) no
// other publish. gRPC adds 4 or 5 of its own (timers, executors), on a machine of any size. All
// methods of this class are thread-safe.
class Server {
 public:
  using Options = ServerOptions;

  // Validates the options, serves the CSI socket, then the registration socket, last because
  // kubelet calls back as soon as it sees that. `volumes` and `clock` must outlive the server.
  //
  // With one of `sockets` it makes no socket of its own, and what is missing may come later by
  // AdoptSockets; the paths in the options then only say where the sockets are. An earlier server
  // accepted on an adopted registration socket, and kubelet does not register a driver again
  // whose socket stays: it counts as registered until kubelet says otherwise.
  static Result<std::unique_ptr<Server>> Start(Options options, VolumeService& volumes,
                                               Clock& clock, AdoptedSockets sockets = {});
  // Stop() without waiting.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // From now on accepts on these sockets in place of what it accepted on before, own or adopted;
  // none leaves the old one. What does not listen is logged and left. Does nothing when stopped.
  void AdoptSockets(UniqueFd csi, UniqueFd registration);

  // Accepts no more, and returns when that is so; calls under way go on, also new ones from
  // connections that there are. Own sockets are removed (if they are still there), and kubelet
  // takes the driver for gone; who dials an adopted socket waits for the next to accept there.
  void StopAccepting();

  // StopAccepting, answers the publishes that wait for ESC with UNAVAILABLE, lets callers who were
  // just accepted make their call (FirstCalls::kPatience at most), then lets calls under way end;
  // after `drain` their callers get CANCELLED. Returns when every handler has returned. Further
  // calls do nothing.
  void Stop(std::chrono::milliseconds drain);

  // Calls Probe over our own CSI socket, or past it if it is the keeper's and we are not root; for
  // /healthz.
  Status SelfProbe(std::chrono::milliseconds timeout) const;

  RegistrationState Registration() const;
  bool IsRegistered() const { return Registration().registered; }

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::csi
