#include "agent/app.h"

#include <atomic>
#include <filesystem>
#include <optional>
#include <random>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "agent/audit/audit_log.h"
#include "agent/audit/volume_audit.h"
#include "agent/cache/environment_cache.h"
#include "agent/controller/volume_secret_writer.h"
#include "agent/freshness/shared_heads.h"
#include "agent/freshness/webhook_receiver.h"
#include "agent/identity/pod_identities.h"
#include "agent/identity/token_cache.h"
#include "agent/kubernetes.h"
#include "agent/status/admin_server.h"
#include "agent/status/freshness_log.h"
#include "agent/status/http_server.h"
#include "agent/status/metrics.h"
#include "agent/status/report.h"
#include "agent/status/status_page.h"
#include "agent/store/file_store_registry.h"
#include "agent/volume/volume_manager.h"
#include "base/curl_transport.h"
#include "base/json.h"
#include "base/locked_memory.h"
#include "base/log.h"
#include "base/version.h"
#include "csi/server.h"
#include "esc/client.h"
#include "fuse/fuse_mounter.h"
#include "fuse/keeper_link.h"
#include "fuse/kept_mounter.h"

namespace escagent {
namespace {

constexpr std::chrono::seconds kProbeTimeout{3};
constexpr std::chrono::seconds kDrain{5};
// How long calls under way may take when a successor waits, which has 2 s of patience.
constexpr std::chrono::milliseconds kHandover{500};
constexpr std::chrono::seconds kKeeperPatience{10};
constexpr std::chrono::seconds kKeeperTimeout{5};
constexpr std::string_view kUnixScheme = "unix://";

}  // namespace

// Members are in the order of their dependencies; destruction in reverse ends those who call first.
class App::Impl {
 public:
  Impl(const AppOptions& options, Clock& clock)
      : options_(options),
        clock_(clock),
        started_at_(clock.WallNow()),
        transport_({.user_agent = "esc-agent/" + std::string(kVersion),
                    .tls = {.ca_file = options.esc_ca_file},
                    .allow_plain_http = options.allow_plain_http}),
        tokens_({}, transport_, clock),
        pods_(options.esc_url + "/api/esc", tokens_, clock),
        shared_heads_({}, clock, std::random_device()()),
        cache_({.default_interval = options.refresh_interval,
                .max_stale = options.max_stale,
                .max_age = options.max_age,
                .shared_heads = &shared_heads_,
                .workers = 8},
               clock) {}

  ~Impl() {
    http_.reset();
    admin_.reset();
    if (csi_ != nullptr) csi_->Stop(link_ != nullptr ? kHandover : kDrain);
    csi_.reset();
    volumes_.reset();
    mounter_.reset();
    // A successor may be waiting for it: the rest takes its time afterwards.
    if (link_ != nullptr) EndHandover();
    if (kubernetes_ != nullptr) kubernetes_->Stop();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status Start(Callbacks callbacks) {
    if (!options_.audit_log.empty()) {
      ESC_ASSIGN_OR_RETURN(
          audit_, audit::AuditLog::Start({.path = options_.audit_log, .node = options_.node_name}));
    }
    std::vector<fuse::RestoredVolume> restored;
    ESC_RETURN_IF_ERROR(StartMounter(std::move(callbacks.on_drain), restored));
    ESC_ASSIGN_OR_RETURN(store::StoreRegistry * stores, FindStores());
    if (kubernetes_ != nullptr) {
      secret_writer_ = std::make_unique<controller::VolumeSecretWriter>(
          options_.watch_namespaces, kubernetes_->cluster().api(), clock_);
    }
    volumes_ = std::make_unique<volume::VolumeManager>(
        volume::VolumeManager::Options{.max_stale = options_.max_stale,
                                       .retry_interval = options_.refresh_interval,
                                       .secret_mirror = secret_writer_.get(),
                                       .pods = &pods_,
                                       .observer =
                                           [this](const volume::VolumeEvent& event) {
                                             metrics_.CountVolumeEvent(event);
                                             if (audit_ != nullptr)
                                               audit::WriteVolumeEvent(*audit_, event);
                                             if (kubernetes_ != nullptr)
                                               kubernetes_->NoteVolumeEvent(event);
                                           }},
        *stores, cache_, *mounter_, clock_, [this](const store::ResolvedStore& store) {
          if (options_.stores_dir.empty()) NoteStore(store);
          return MakeApi(store);
        });
    volumes_->Restore(std::move(restored));
    if (kubernetes_ != nullptr) {
      kubernetes_->Start(
          [this](const store::ResolvedStore& store) {
            NoteStore(store);
            return MakeApi(store);
          },
          cache_, shared_heads_);
    }
    ESC_RETURN_IF_ERROR(StartCsi(std::move(callbacks.on_fatal)));
    ESC_RETURN_IF_ERROR(StartListeners());
    started_ = true;
    UseNewKeeper();
    return {};
  }

  void Reload() {
    if (audit_ != nullptr) audit_->Reopen();
    volumes_->Reconcile();
  }

 private:
  std::shared_ptr<esc::Api> MakeApi(const store::ResolvedStore& store) {
    return std::make_shared<esc::Client>(
        esc::Client::Options{
            .api_url = store.api_url, .token = store.token, .tokens = store.tokens},
        transport_, clock_);
  }

  // Every agent can read the API server's stores: what their tokens see may be asked for by one.
  void NoteStore(const store::ResolvedStore& store) {
    shared_heads_.NoteStore(store.api_url, store.identity, store.name);
  }

  Result<store::StoreRegistry*> FindStores() {
    ESC_ASSIGN_OR_RETURN(kubernetes_, Kubernetes::Find(options_, tokens_, clock_));
    if (options_.stores_dir.empty()) return &kubernetes_->stores();
    ESC_ASSIGN_OR_RETURN(file_stores_, store::FileStoreRegistry::Load({
                                           .directory = options_.stores_dir,
                                           .default_api_url = options_.esc_url + "/api/esc",
                                           .identities = &tokens_,
                                       }));
    return file_stores_.get();
  }

  Status StartMounter(std::function<void()> on_drain, std::vector<fuse::RestoredVolume>& restored) {
    if (options_.keeper_socket.empty()) {
      fuse::FuseMounter::Options serving;
      serving.open_listener = OpenListeners();
      ESC_ASSIGN_OR_RETURN(mounter_, fuse::FuseMounter::Create(std::move(serving)));
      return {};
    }
    ESC_ASSIGN_OR_RETURN(
        link_, fuse::KeeperLink::Connect(
                   options_.keeper_socket,
                   {.on_drain = std::move(on_drain), .on_reconnected = [this] { Reconnected(); }},
                   kKeeperPatience, kKeeperTimeout));
    return link_->WithKeeper(
        [&](keeper::KeeperClient& client) { return TakeOver(client, restored); });
  }

  fuse::OpenListenerFactory OpenListeners() {
    if (audit_ == nullptr) return {};
    return
        [&log = *audit_](std::string_view metadata) { return audit::ListenToOpens(log, metadata); };
  }

  Status TakeOver(keeper::KeeperClient& client, std::vector<fuse::RestoredVolume>& restored) {
    fuse::KeptMounter::Options options{.kubelet_dir = options_.kubelet_dir, .serving = {}};
    // The keeper's renames tell the kernel; there is little left to do.
    options.serving.notifiers = 1;
    options.serving.open_listener = OpenListeners();
    ESC_ASSIGN_OR_RETURN(auto kept, fuse::KeptMounter::Create(std::move(options), *link_));
    ESC_ASSIGN_OR_RETURN(restored, kept->Restore());
    if (Status ready = client.Ready(/*just_started=*/true); !ready) {
      restored.clear();  // before the mounter
      return ready;
    }
    kept_ = kept.get();
    mounter_ = std::move(kept);
    LogInfo("took over from esc-keeper",
            {{log_key::kCount, static_cast<std::int64_t>(restored.size())}});
    return {};
  }

  // On the link's thread. Not before all is started: then that thread does what is to be done.
  void Reconnected() {
    reconnected_ = true;
    if (started_) UseNewKeeper();
  }

  // By one thread at a time, which also does what comes meanwhile.
  void UseNewKeeper() {
    while (reconnected_ && !adopting_.exchange(true)) {
      if (reconnected_.exchange(false)) {
        Status status = kept_->Reconnected();
        if (status) status = link_->Client()->Ready(/*just_started=*/false);
        if (status) status = AdoptSockets();
        if (!status) LogError("cannot use the new keeper", {{log_key::kError, status.error()}});
      }
      adopting_ = false;
    }
  }

  Status AdoptSockets() {
    ESC_ASSIGN_OR_RETURN(keeper::ListeningSockets sockets, link_->Client()->GetSockets());
    csi_->AdoptSockets(std::move(sockets.csi), std::move(sockets.registration));
    return {};
  }

  void EndHandover() {
    if (const Status status = link_->Drained(); !status) {
      LogWarning("the keeper does not know that this agent has finished",
                 {{log_key::kError, status.error()}});
    }
    link_.reset();
  }

  Status StartCsi(std::function<void()> on_fatal) {
    csi::Server::Options options;
    options.driver_name = options_.driver_name;
    options.version = kVersion;
    options.node_name = options_.node_name;
    options.csi_endpoint = options_.csi_endpoint;
    options.registration_socket = options_.registration_socket;
    options.kubelet_registration_path = options_.kubelet_registration_path;
    // The reason is logged by the registration service.
    options.on_rejected = [on_fatal = std::move(on_fatal)](const std::string&) { on_fatal(); };
    options.observer = [this](std::string_view method, Code code,
                              std::chrono::nanoseconds duration) {
      metrics_.CountRpc(method, code, duration);
    };
    csi::AdoptedSockets sockets;
    if (link_ != nullptr) {
      ESC_RETURN_IF_ERROR(link_->WithKeeper([&](keeper::KeeperClient& client) -> Status {
        ESC_ASSIGN_OR_RETURN(keeper::ListeningSockets kept, client.GetSockets());
        sockets = {.csi = std::move(kept.csi), .registration = std::move(kept.registration)};
        return {};
      }));
    }
    // The folder is the driver's own, unlike that of the registration socket.
    std::error_code ignored;
    if (!sockets.csi) {
      std::filesystem::create_directories(
          std::filesystem::path(options_.csi_endpoint.substr(kUnixScheme.size())).parent_path(),
          ignored);
    }
    ESC_ASSIGN_OR_RETURN(
        csi_, csi::Server::Start(std::move(options), *volumes_, clock_, std::move(sockets)));
    LogInfo("serving", {{log_key::kDriver, options_.driver_name},
                        {log_key::kNode, options_.node_name},
                        {log_key::kEndpoint, options_.csi_endpoint},
                        {log_key::kVersion, kVersion}});
    return {};
  }

  Status StartListeners() {
    if (!options_.admin_socket.empty()) {
      ESC_ASSIGN_OR_RETURN(
          admin_,
          status::AdminServer::Start(options_.admin_socket, [this](std::string_view request) {
            return status::AnswerAdmin(request, [this] { return MakeReport(); }, cache_);
          }));
    }
    if (!options_.http_listen) return {};
    status::HttpServer::Options http;
    http.host = options_.http_listen->host;
    http.port = options_.http_listen->port;
    http.healthy = [this] { return Healthy(); };
    http.ready = [this] { return Ready(); };
    http.metrics = [this] { return metrics_.Serialize(MakeReport(), cache_.Stats()); };
    http.status_json = [this] { return DumpJson(ToJson(MakeReport()), 2) + "\n"; };
    http.status_page = [this] { return StatusPage(MakeReport(), freshness_.LastHour()); };
    if (!options_.webhook_secret_file.empty()) {
      webhooks_ = std::make_unique<freshness::WebhookReceiver>(
          options_.webhook_secret_file,
          [this](const esc::EnvironmentRef& ref, const std::string& id) { OnWebhook(ref, id); });
      http.webhook = [this](const status::HttpServer::Webhook& webhook) {
        return webhooks_->Receive({webhook.id, webhook.kind, webhook.signature, webhook.body});
      };
    }
    ESC_ASSIGN_OR_RETURN(http_, status::HttpServer::Start(std::move(http)));
    LogInfo("http listening", {{log_key::kAddress,
                                options_.http_listen->host + ":" + std::to_string(http_->port())}});
    return {};
  }

  void OnWebhook(const esc::EnvironmentRef& ref, const std::string& id) {
    LogInfo("ESC tells that an environment has changed", {{log_key::kEnvironment, ref.ToString()}});
    if (kubernetes_ != nullptr) {
      kubernetes_->Announce(ref, id);
    } else {
      cache_.EnvironmentChanged(ref, {});
    }
  }

  Status Healthy() const { return csi_->SelfProbe(kProbeTimeout); }

  Status Ready() const {
    ESC_RETURN_IF_ERROR(Healthy());
    if (link_ != nullptr && !link_->Connected()) {
      return Unavailable("esc-keeper does not answer at " + options_.keeper_socket +
                         "; volumes are served, but none can be mounted; is its pod running?");
    }
    if (options_.registration_socket.empty() || csi_->IsRegistered()) return {};
    return Unavailable("kubelet has not registered the driver yet; is " +
                       options_.registration_socket + " in its plugins_registry folder?");
  }

  status::Report MakeReport() const {
    return {.node = options_.node_name,
            .driver = options_.driver_name,
            .registered = csi_->IsRegistered(),
            .keeper_connected = link_ == nullptr ? std::nullopt : std::optional(link_->Connected()),
            .started_at = started_at_,
            .now = clock_.Now(),
            .environments = cache_.List(),
            .volumes = volumes_->List(),
            .mirror = MirrorStatus(),
            .sharing = SharingStatus(),
            .secret_memory = GetLockedMemoryStats(),
            .audit = audit_ == nullptr ? std::nullopt : std::optional(audit_->GetStats()),
            .tokens = tokens_.Stats()};
  }

  status::SharingStatus SharingStatus() const {
    status::SharingStatus sharing;
    if (kubernetes_ != nullptr) sharing = kubernetes_->Sharing();
    sharing.heads = shared_heads_.GetStats();
    if (webhooks_ != nullptr) sharing.webhooks = webhooks_->GetStats();
    return sharing;
  }

  std::optional<controller::MirrorStatus> MirrorStatus() const {
    if (kubernetes_ == nullptr || kubernetes_->mirror() == nullptr) return std::nullopt;
    return kubernetes_->mirror()->GetStatus();
  }

  const AppOptions options_;
  Clock& clock_;
  const Clock::WallTime started_at_;
  status::Metrics metrics_;
  CurlTransport transport_;
  // None unless it is wanted. Before all that is audited.
  std::unique_ptr<audit::AuditLog> audit_;
  // None without an API server. Before what asks it for tokens of service accounts.
  std::unique_ptr<Kubernetes> kubernetes_;
  identity::TokenCache tokens_;
  identity::PodIdentities pods_;
  std::unique_ptr<store::FileStoreRegistry> file_stores_;
  freshness::SharedHeads shared_heads_;
  cache::EnvironmentCache cache_;
  const status::FreshnessLog freshness_{[this] { return cache_.List(); }, clock_};
  std::unique_ptr<controller::VolumeSecretWriter> secret_writer_;
  // None without a keeper.
  std::unique_ptr<fuse::KeeperLink> link_;
  fuse::KeptMounter* kept_ = nullptr;  // mounter_, then
  std::atomic<bool> started_ = false;
  std::atomic<bool> reconnected_ = false;
  std::atomic<bool> adopting_ = false;
  std::unique_ptr<fuse::Mounter> mounter_;
  std::unique_ptr<volume::VolumeManager> volumes_;
  std::unique_ptr<csi::Server> csi_;
  std::unique_ptr<status::AdminServer> admin_;
  std::unique_ptr<freshness::WebhookReceiver> webhooks_;
  std::unique_ptr<status::HttpServer> http_;
};

App::App(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
App::~App() = default;

Result<std::unique_ptr<App>> App::Start(const AppOptions& options, Clock& clock,
                                        Callbacks callbacks) {
  auto impl = std::make_unique<Impl>(options, clock);
  ESC_RETURN_IF_ERROR(impl->Start(std::move(callbacks)));
  return std::unique_ptr<App>(new App(std::move(impl)));
}

void App::Reload() { impl_->Reload(); }

}  // namespace escagent
