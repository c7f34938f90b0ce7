#include "agent/app.h"

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/cache/environment_cache.h"
#include "agent/status/admin_server.h"
#include "agent/status/http_server.h"
#include "agent/status/metrics.h"
#include "agent/status/report.h"
#include "agent/store/file_store_registry.h"
#include "agent/volume/volume_manager.h"
#include "base/curl_transport.h"
#include "base/json.h"
#include "base/log.h"
#include "base/version.h"
#include "csi/server.h"
#include "esc/client.h"
#include "fuse/fuse_mounter.h"

namespace escagent {
namespace {

constexpr std::chrono::seconds kProbeTimeout{3};
constexpr std::chrono::seconds kDrain{5};
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
                    .ca_file = options.esc_ca_file,
                    .allow_plain_http = options.allow_plain_http}),
        cache_({.default_interval = options.refresh_interval,
                .max_stale = options.max_stale,
                .workers = 4},
               clock) {}

  ~Impl() {
    http_.reset();
    admin_.reset();
    if (csi_ != nullptr) csi_->Stop(kDrain);
    csi_.reset();
    if (volumes_ != nullptr) volumes_->Shutdown();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status Start(std::function<void()> on_fatal) {
    ESC_ASSIGN_OR_RETURN(stores_, store::FileStoreRegistry::Load({
                                      .directory = options_.stores_dir,
                                      .default_api_url = options_.esc_url + "/api/esc",
                                  }));
    ESC_ASSIGN_OR_RETURN(mounter_, fuse::FuseMounter::Create({}));
    volumes_ = std::make_unique<volume::VolumeManager>(
        volume::VolumeManager::Options{
            .max_stale = options_.max_stale,
            .retry_interval = options_.refresh_interval,
            .observer =
                [this](const volume::VolumeEvent& event) { metrics_.CountVolumeEvent(event); }},
        *stores_, cache_, *mounter_, clock_,
        [this](const store::ResolvedStore& store) { return MakeApi(store); });
    ESC_RETURN_IF_ERROR(StartCsi(std::move(on_fatal)));
    ESC_RETURN_IF_ERROR(StartListeners());
    return {};
  }

  void Reload() { volumes_->Reconcile(); }

 private:
  std::shared_ptr<esc::Api> MakeApi(const store::ResolvedStore& store) {
    return std::make_shared<esc::Client>(
        esc::Client::Options{.api_url = store.api_url, .token = store.token}, transport_, clock_);
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
    // The folder is the driver's own, unlike that of the registration socket.
    std::error_code ignored;
    std::filesystem::create_directories(
        std::filesystem::path(options_.csi_endpoint.substr(kUnixScheme.size())).parent_path(),
        ignored);
    ESC_ASSIGN_OR_RETURN(csi_, csi::Server::Start(std::move(options), *volumes_, clock_));
    LogInfo("serving", {{log_key::kDriver, options_.driver_name},
                        {log_key::kNode, options_.node_name},
                        {log_key::kEndpoint, options_.csi_endpoint},
                        {log_key::kVersion, kVersion}});
    return {};
  }

  Status StartListeners() {
    if (!options_.admin_socket.empty()) {
      ESC_ASSIGN_OR_RETURN(admin_, status::AdminServer::Start(options_.admin_socket,
                                                              [this](std::string_view request) {
                                                                return AnswerAdmin(request);
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
    http.status_page = [this] { return ToHtml(MakeReport()); };
    ESC_ASSIGN_OR_RETURN(http_, status::HttpServer::Start(std::move(http)));
    LogInfo("http listening", {{log_key::kAddress,
                                options_.http_listen->host + ":" + std::to_string(http_->port())}});
    return {};
  }

  Status Healthy() const { return csi_->SelfProbe(kProbeTimeout); }

  Status Ready() const {
    ESC_RETURN_IF_ERROR(Healthy());
    if (options_.registration_socket.empty() || csi_->IsRegistered()) return {};
    return Unavailable("kubelet has not registered the driver yet; is " +
                       options_.registration_socket + " in its plugins_registry folder?");
  }

  status::Report MakeReport() const {
    return {.node = options_.node_name,
            .driver = options_.driver_name,
            .registered = csi_->IsRegistered(),
            .started_at = started_at_,
            .now = clock_.Now(),
            .environments = cache_.List(),
            .volumes = volumes_->List()};
  }

  std::string AnswerAdmin(std::string_view request) {
    if (request == "status") return DumpJson(ToJson(MakeReport()));
    if (request == "refresh" || request.starts_with("refresh ")) {
      const std::string_view environment =
          request.size() > 8 ? request.substr(8) : std::string_view();
      const int count = cache_.RefreshNow(environment);
      if (count == 0 && !environment.empty()) {
        return DumpJson({{"error", "no volume uses environment " + std::string(environment)}});
      }
      return DumpJson({{"environments", count}});
    }
    return DumpJson({{"error", "unknown request; this agent answers status and refresh"}});
  }

  const AppOptions options_;
  Clock& clock_;
  const Clock::WallTime started_at_;
  status::Metrics metrics_;
  CurlTransport transport_;
  std::unique_ptr<store::FileStoreRegistry> stores_;
  cache::EnvironmentCache cache_;
  std::unique_ptr<fuse::FuseMounter> mounter_;
  std::unique_ptr<volume::VolumeManager> volumes_;
  std::unique_ptr<csi::Server> csi_;
  std::unique_ptr<status::AdminServer> admin_;
  std::unique_ptr<status::HttpServer> http_;
};

App::App(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
App::~App() = default;

Result<std::unique_ptr<App>> App::Start(const AppOptions& options, Clock& clock,
                                        std::function<void()> on_fatal) {
  auto impl = std::make_unique<Impl>(options, clock);
  ESC_RETURN_IF_ERROR(impl->Start(std::move(on_fatal)));
  return std::unique_ptr<App>(new App(std::move(impl)));
}

void App::Reload() { impl_->Reload(); }

}  // namespace escagent
