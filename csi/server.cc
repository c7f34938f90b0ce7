#include "csi/server.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <mutex>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "csi/acceptor.h"
#include "csi/call_queue.h"
#include "csi/first_calls.h"
#include "csi/grpc_event_engine.h"
#include "csi/identity_service.h"
#include "csi/node_service.h"
#include "csi/proto/csi.grpc.pb.h"
#include "csi/proto/pluginregistration.grpc.pb.h"
#include "csi/registration_service.h"
#include "csi/self_probe.h"
#include "csi/unix_listener.h"

namespace escagent::csi {
namespace {

constexpr int kQuickThreads = 1;
constexpr int kPublishThreads = 4;
constexpr int kVolumeThreads = 2;
// kubelet's token map alone can be large; gRPC's default is 4 MiB.
constexpr int kMaxReceiveBytes = 8 << 20;

void LogFromGrpc(gpr_log_func_args* args) {
  const LogLevel level =
      args->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kDebug;
  Log(level, "gRPC library", {{log_key::kFile, args->file}, {log_key::kError, args->message}});
}

}  // namespace

class Server::Impl {
 public:
  Impl(Options options, VolumeService& volumes, Clock& clock, bool registered)
      : options_(std::move(options)),
        clock_(clock),
        identity_(options_.driver_name, options_.version, volumes, options_.observer),
        node_(options_.node_name, options_.publish_patience, volumes, options_.observer),
        registration_(options_.driver_name, options_.kubelet_registration_path, clock,
                      options_.on_rejected, options_.observer, registered) {}

  ~Impl() { Stop(std::chrono::milliseconds{0}); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status Start(AdoptedSockets adopted) {
    ESC_RETURN_IF_ERROR(StartGrpc());
    Acceptor::Options sockets{
        .csi = {},
        .registration = {},
        .registration_patience = options_.registration_patience,
        .on_connection =
            [this](UniqueFd fd) {
              first_calls_.Expect(fd.Get());
              grpc::AddInsecureChannelFromFd(server_.get(), fd.Release());
            },
        .kubelet_called = [this] { return registration_.State().last_get_info.has_value(); }};
    if (adopted.csi || adopted.registration) {
      ESC_ASSIGN_OR_RETURN(sockets.csi, AdoptCsi(std::move(adopted.csi)));
      ESC_ASSIGN_OR_RETURN(sockets.registration,
                           AdoptRegistration(std::move(adopted.registration)));
    } else {
      ESC_ASSIGN_OR_RETURN(sockets.csi, UnixListener::Bind(SocketPath(options_.csi_endpoint)));
      if (!options_.registration_socket.empty()) {
        ESC_ASSIGN_OR_RETURN(sockets.registration,
                             UnixListener::Bind(options_.registration_socket));
      }
    }
    acceptor_.emplace(std::move(sockets), clock_);
    return {};
  }

  void AdoptSockets(UniqueFd csi, UniqueFd registration) {
    acceptor_->Adopt(ValueOrLogged(AdoptCsi(std::move(csi))),
                     ValueOrLogged(AdoptRegistration(std::move(registration))));
  }

  Status SelfProbe(std::chrono::milliseconds timeout) {
    return csi::SelfProbe(SocketPath(options_.csi_endpoint), timeout,
                          [this](UniqueFd fd) { acceptor_->Serve(std::move(fd)); });
  }

  void StopAccepting() { acceptor_->Stop(); }

  void Stop(std::chrono::milliseconds drain) {
    // Held until all is stopped, so that a second caller returns no earlier; handlers never take
    // it.
    MutexLock lock(stop_mutex_);
    if (!server_) return;
    if (acceptor_) acceptor_->Stop();
    for (auto* queue : {&quick_, &publish_, &volume_}) (*queue)->EndWaits();
    const auto end = std::chrono::system_clock::now() + drain;
    first_calls_.Await(std::chrono::steady_clock::now() + drain);
    server_->Shutdown(end);
    for (auto* queue : {&quick_, &publish_, &volume_}) (*queue)->Stop();
    server_.reset();
  }

  RegistrationState Registration() const { return registration_.State(); }

 private:
  static Result<UnixListener> AdoptIfAny(UniqueFd fd, const std::string& path) {
    if (!fd) return UnixListener();
    return UnixListener::Adopt(std::move(fd), path);
  }
  Result<UnixListener> AdoptCsi(UniqueFd fd) const {
    return AdoptIfAny(std::move(fd), SocketPath(options_.csi_endpoint));
  }
  Result<UnixListener> AdoptRegistration(UniqueFd fd) const {
    if (options_.registration_socket.empty()) return UnixListener();
    return AdoptIfAny(std::move(fd), options_.registration_socket);
  }
  static UnixListener ValueOrLogged(Result<UnixListener> listener) {
    if (listener) return *std::move(listener);
    LogError("adopting a socket failed; the old one stays", {{log_key::kError, listener.error()}});
    return {};
  }

  Status StartGrpc() {
    static std::once_flag once;
    std::call_once(once, [] {
      gpr_set_log_function(LogFromGrpc);
      GrpcEventEngine::Install();
      // Never shut down again: the library's shutdown can wait ten seconds for its own poller.
      grpc_init();
    });

    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kMaxReceiveBytes);
    builder.RegisterService(&identity_rpcs_);
    builder.RegisterService(&node_rpcs_);
    builder.RegisterService(&registration_rpcs_);
    const auto on_arrival = [this](const std::string& peer) { first_calls_.Arrived(peer); };
    quick_.emplace(builder.AddCompletionQueue(), "csi-quick", kQuickThreads, on_arrival);
    publish_.emplace(builder.AddCompletionQueue(), "csi-publish", kPublishThreads, on_arrival);
    volume_.emplace(builder.AddCompletionQueue(), "csi-volume", kVolumeThreads, on_arrival);
    server_ = builder.BuildAndStart();
    if (!server_) return Internal("start the CSI server: gRPC refused to");
    ServeMethods();
    for (auto* queue : {&quick_, &publish_, &volume_}) (*queue)->Start();
    return {};
  }

  void ServeMethods() {
    using IdentityRpcs = v1::Identity::AsyncService;
    quick_->Serve(identity_rpcs_, &IdentityRpcs::RequestGetPluginInfo, identity_,
                  &IdentityService::GetPluginInfo);
    quick_->Serve(identity_rpcs_, &IdentityRpcs::RequestGetPluginCapabilities, identity_,
                  &IdentityService::GetPluginCapabilities);
    quick_->Serve(identity_rpcs_, &IdentityRpcs::RequestProbe, identity_, &IdentityService::Probe);

    using RegistrationRpcs = pluginregistration::Registration::AsyncService;
    quick_->Serve(registration_rpcs_, &RegistrationRpcs::RequestGetInfo, registration_,
                  &RegistrationService::GetInfo);
    quick_->Serve(registration_rpcs_, &RegistrationRpcs::RequestNotifyRegistrationStatus,
                  registration_, &RegistrationService::NotifyRegistrationStatus);

    using NodeRpcs = v1::Node::AsyncService;
    quick_->Serve(node_rpcs_, &NodeRpcs::RequestNodeGetCapabilities, node_,
                  &NodeService::NodeGetCapabilities);
    quick_->Serve(node_rpcs_, &NodeRpcs::RequestNodeGetInfo, node_, &NodeService::NodeGetInfo);
    publish_->Serve(node_rpcs_, &NodeRpcs::RequestNodePublishVolume, node_,
                    &NodeService::NodePublishVolume);
    volume_->Serve(node_rpcs_, &NodeRpcs::RequestNodeUnpublishVolume, node_,
                   &NodeService::NodeUnpublishVolume);
    volume_->Serve(node_rpcs_, &NodeRpcs::RequestNodeGetVolumeStats, node_,
                   &NodeService::NodeGetVolumeStats);
  }

  const Options options_;
  Clock& clock_;
  IdentityService identity_;
  NodeService node_;
  RegistrationService registration_;
  FirstCalls first_calls_;

  // gRPC wants the server gone before its services and queues.
  v1::Identity::AsyncService identity_rpcs_;
  v1::Node::AsyncService node_rpcs_;
  pluginregistration::Registration::AsyncService registration_rpcs_;
  std::optional<CallQueue> quick_;
  std::optional<CallQueue> publish_;
  std::optional<CallQueue> volume_;

  Mutex stop_mutex_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<Acceptor> acceptor_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Start(Options options, VolumeService& volumes, Clock& clock,
                                              AdoptedSockets sockets) {
  ESC_RETURN_IF_ERROR(Validate(options));
  auto impl = std::make_unique<Impl>(std::move(options), volumes, clock,
                                     static_cast<bool>(sockets.registration));
  ESC_RETURN_IF_ERROR(impl->Start(std::move(sockets)));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::AdoptSockets(UniqueFd csi, UniqueFd registration) {
  impl_->AdoptSockets(std::move(csi), std::move(registration));
}

void Server::StopAccepting() { impl_->StopAccepting(); }

void Server::Stop(std::chrono::milliseconds drain) { impl_->Stop(drain); }

Status Server::SelfProbe(std::chrono::milliseconds timeout) const {
  return impl_->SelfProbe(timeout);
}

RegistrationState Server::Registration() const { return impl_->Registration(); }

}  // namespace escagent::csi
