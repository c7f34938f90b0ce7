#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "csi/server_options.h"
#include "csi/volume_service.h"

namespace escagent::csi {

// The CSI driver's gRPC server: Identity and Node on the CSI socket, Registration on the
// registration socket, both mode 0600. One gRPC server stands behind both, so every method can be
// called on either: harmless, as the same root-only peers reach them.
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
  static Result<std::unique_ptr<Server>> Start(Options options, VolumeService& volumes,
                                               Clock& clock);
  // Stop() without waiting.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Removes the sockets (only those that are still this server's own), answers the publishes that
  // wait for ESC, then lets calls under way end; after `drain` their callers get CANCELLED. Returns
  // when every handler has returned. kubelet takes the driver for gone from this moment. Further
  // calls do nothing.
  void Stop(std::chrono::milliseconds drain);

  // Calls Probe over our own CSI socket; for /healthz.
  Status SelfProbe(std::chrono::milliseconds timeout) const;

  RegistrationState Registration() const;
  bool IsRegistered() const { return Registration().registered; }

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::csi
