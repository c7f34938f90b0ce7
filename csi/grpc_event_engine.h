#pragma once

#include <grpc/event_engine/event_engine.h>

#include <memory>

#include "csi/timer_thread.h"

namespace escagent::csi {

// gRPC's timers and small tasks on one thread. gRPC 1.51's own engine starts a thread for each
// core, up to 32, which on a large node would be most of this agent's threads and do nothing.
//
// Sockets and names are not its business: gRPC 1.51 does those without an engine, so those parts
// of the interface answer that they are not there. Thread-safe.
class GrpcEventEngine final : public grpc_event_engine::experimental::EventEngine {
 public:
  // Makes gRPC use engines of this class, all on one thread that lives as long as the process. To
  // have an effect it must come before anything else of gRPC's.
  static void Install();

  explicit GrpcEventEngine(std::shared_ptr<TimerThread> thread);

  void Run(Closure* closure) override;
  void Run(absl::AnyInvocable<void()> closure) override;
  TaskHandle RunAfter(Duration when, Closure* closure) override;
  TaskHandle RunAfter(Duration when, absl::AnyInvocable<void()> closure) override;
  bool Cancel(TaskHandle handle) override;
  bool IsWorkerThread() override;

  absl::StatusOr<std::unique_ptr<Listener>> CreateListener(
      Listener::AcceptCallback on_accept, absl::AnyInvocable<void(absl::Status)> on_shutdown,
      const grpc_event_engine::experimental::EndpointConfig& config,
      std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory> allocators) override;
  ConnectionHandle Connect(OnConnectCallback on_connect, const ResolvedAddress& address,
                           const grpc_event_engine::experimental::EndpointConfig& config,
                           grpc_event_engine::experimental::MemoryAllocator allocator,
                           Duration timeout) override;
  bool CancelConnect(ConnectionHandle handle) override;
  std::unique_ptr<DNSResolver> GetDNSResolver(const DNSResolver::ResolverOptions& options) override;

 private:
  const std::shared_ptr<TimerThread> thread_;
};

}  // namespace escagent::csi
