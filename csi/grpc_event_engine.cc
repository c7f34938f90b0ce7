#include "csi/grpc_event_engine.h"

#include <utility>

namespace escagent::csi {
namespace {

using grpc_event_engine::experimental::EndpointConfig;
using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::MemoryAllocatorFactory;

absl::Status NotOffered() { return absl::UnimplementedError("this engine has only timers"); }

EventEngine::TaskHandle HandleOf(const TimerThread::TaskId& id) {
  return {id.first.time_since_epoch().count(), id.second};
}

}  // namespace

void GrpcEventEngine::Install() {
  auto thread = std::make_shared<TimerThread>("grpc-timers");
  grpc_event_engine::experimental::SetEventEngineFactory(
      [thread = std::move(thread)] { return std::make_unique<GrpcEventEngine>(thread); });
}

GrpcEventEngine::GrpcEventEngine(std::shared_ptr<TimerThread> thread)
    : thread_(std::move(thread)) {}

void GrpcEventEngine::Run(Closure* closure) { RunAfter(Duration::zero(), closure); }

void GrpcEventEngine::Run(absl::AnyInvocable<void()> closure) {
  RunAfter(Duration::zero(), std::move(closure));
}

EventEngine::TaskHandle GrpcEventEngine::RunAfter(Duration when, Closure* closure) {
  return HandleOf(thread_->Add(when, [closure] { closure->Run(); }));
}

EventEngine::TaskHandle GrpcEventEngine::RunAfter(Duration when,
                                                  absl::AnyInvocable<void()> closure) {
  return HandleOf(thread_->Add(when, std::move(closure)));
}

bool GrpcEventEngine::Cancel(TaskHandle handle) {
  const TimerThread::TimePoint due{std::chrono::nanoseconds(handle.keys[0])};
  return thread_->Cancel({due, handle.keys[1]});
}

bool GrpcEventEngine::IsWorkerThread() { return thread_->IsCurrentThread(); }

absl::StatusOr<std::unique_ptr<EventEngine::Listener>> GrpcEventEngine::CreateListener(
    Listener::AcceptCallback /*on_accept*/, absl::AnyInvocable<void(absl::Status)> /*on_shutdown*/,
    const EndpointConfig& /*config*/, std::unique_ptr<MemoryAllocatorFactory> /*allocators*/) {
  return NotOffered();
}

EventEngine::ConnectionHandle GrpcEventEngine::Connect(OnConnectCallback on_connect,
                                                       const ResolvedAddress& /*address*/,
                                                       const EndpointConfig& /*config*/,
                                                       MemoryAllocator /*allocator*/,
                                                       Duration /*timeout*/) {
  thread_->Add({}, [on_connect = std::move(on_connect)]() mutable { on_connect(NotOffered()); });
  return {0, 0};
}

bool GrpcEventEngine::CancelConnect(ConnectionHandle /*handle*/) { return false; }

std::unique_ptr<EventEngine::DNSResolver> GrpcEventEngine::GetDNSResolver(
    const DNSResolver::ResolverOptions& /*options*/) {
  return nullptr;
}

}  // namespace escagent::csi
