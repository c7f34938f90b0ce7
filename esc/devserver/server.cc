#include "esc/devserver/server.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/strings.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/http_server.h"
#include "esc/devserver/key_file.h"
#include "esc/devserver/request_reading.h"
#include "esc/devserver/router.h"

namespace escagent::devserver {
namespace {

// What requests for paths that the server does not have are counted as.
constexpr const char* kNoRoute = "(no route)";

// The credential of "Authorization: token X"; empty when there is none.
std::string_view TokenOf(std::string_view header) {
  constexpr std::string_view kScheme = "token ";
  if (!EqualsIgnoreCase(header.substr(0, kScheme.size()), kScheme)) return {};
  return header.substr(kScheme.size());
}

// Where history is kept; "" when nowhere, which a line in the log says.
std::string StateFolderOf(const Server::Options& options) {
  if (!options.keep_state) return "";
  std::string folder = options.definitions_dir + "/.esc-agent";
  const Status prepared = StateFolder::Prepare(folder);
  if (prepared) return folder;
  LogWarning("history, tags and settings are lost when the server ends",
             {{log_key::kError, prepared.error()}});
  return "";
}

// The path of a request; one of the API before projects becomes that of the project "default".
std::string PathOf(const httplib::Request& request) {
  constexpr std::string_view kOld = "/api/preview/environments";
  const std::string& path = request.path;
  if (!path.starts_with(kOld)) return path;
  std::vector<std::string_view> parts = Split(std::string_view(path).substr(kOld.size()), '/');
  std::erase(parts, std::string_view());
  if (parts.size() > 1 && parts[1] != "yaml") parts.insert(parts.begin() + 1, "default");
  return "/api/esc/environments/" + Join(parts, "/");
}

// The key of the folder's ciphertext; of this server alone when nothing is kept.
Result<Secret> KeyOf(const std::string& state_folder) {
  if (state_folder.empty()) return MakeKey();
  return ReadOrMakeKey(state_folder + "/key");
}

// What a request needs to be allowed; routes name what they do.
Permission NeededFor(const Request& request) {
  if (request.route.contains("/open") || request.route.contains("/decrypt") ||
      IsOn(request, "showSecrets")) {
    return Permission::kOpen;
  }
  const std::string& method = request.http.method;
  const bool reads = method == "GET" || method == "HEAD" || request.route.ends_with("/check");
  return reads ? Permission::kRead : Permission::kWrite;
}

bool IsAllowed(const Request& request) {
  const std::string& organization = request.Argument("org");
  if (organization.empty()) return true;
  // Their webhooks tell of every environment.
  if (request.route.contains(" /api/orgs/")) {
    return request.identity.environments.empty() &&
           request.identity.May(Permission::kWrite, organization, "");
  }
  // A text may hold ciphertext of any environment.
  const bool text = request.route.contains("/{org}/yaml/");
  if (text && request.identity.permission < NeededFor(request)) return false;
  if (request.Argument("env").empty()) return request.identity.MayUse(organization);
  return request.identity.May(NeededFor(request), organization,
                              request.Argument("project") + "/" + request.Argument("env"));
}

// Announces the whole body and sends half of it; the connection is closed then.
void Truncate(httplib::Response& response, Connection& connection) {
  // Without a body there is no answer at all.
  if (response.body.empty()) return connection.Abort();
  std::string body = std::move(response.body);
  const std::string type = response.get_header_value("Content-Type");
  response.body.clear();
  response.headers.erase("Content-Type");
  const std::size_t size = body.size();
  response.set_content_provider(
      size, type,
      [body = std::move(body), &connection](std::size_t, std::size_t, httplib::DataSink& sink) {
        sink.write(body.data(), body.size() / 2);
        connection.Abort();
        return false;
      });
}

}  // namespace

class Server::Impl {
 public:
  Impl(const Options& options, const std::string& state_folder, const Secret& key)
      : clock_(options.clock != nullptr ? *options.clock : system_clock_),
        backend_(options.definitions_dir, state_folder, key, clock_) {
    AddCheckRoutes(router_);
    AddOpenRoutes(router_);
    AddRotationRoutes(router_);
    AddRevisionRoutes(router_);
    AddEnvironmentRoutes(router_);
    AddUpdateRoutes(router_);
    AddLifecycleRoutes(router_);
    AddTagRoutes(router_);
    AddWebhookRoutes(router_);
    AddRefusalRoutes(router_);
    AddUserRoutes(router_);
    AddOauthRoutes(router_);
    AddDebugRoutes(router_);
  }
  ~Impl() { stop_.request_stop(); }

  Status Start(Options options) {
    backend_.token = std::move(options.token);
    backend_.default_session = options.default_session;
    backend_.answer_200 = options.answer_200;
    ESC_RETURN_IF_ERROR(eval::AddLocalProviders(options.providers, clock_, backend_.providers));
    if (options.oidc) {
      backend_.oidc.emplace(*std::move(options.oidc), clock_);
      ESC_RETURN_IF_ERROR(backend_.oidc->Check());
    }
    backend_.webhooks.Start(std::move(options.webhook));
    ESC_ASSIGN_OR_RETURN(
        http_, HttpServer::Start(
                   options.listen,
                   [this](const httplib::Request& request, httplib::Response& response,
                          Connection& connection) { Dispatch(request, response, connection); }));
    return {};
  }

  const HttpServer& http() const { return *http_; }
  Backend& backend() { return backend_; }

 private:
  void Dispatch(const httplib::Request& http, httplib::Response& response, Connection& connection) {
    std::string allowed;
    auto match = router_.Find(http.method, PathOf(http), allowed);
    if (!match) return SendNoRoute(allowed, response);
    Request request{
        .http = http, .route = std::move(match->route), .arguments = std::move(match->arguments)};
    if (http.path.starts_with("/debug/")) return match->handler(backend_, request, response);

    backend_.counters.Count(request.route, request.Environment());
    const Fault fault = backend_.faults.Take(request.route, request.Environment());
    if (fault.delay.count() > 0) {
      clock_.SleepUntil(clock_.Now() + fault.delay, stop_.get_token());
    }
    if (fault.hang) {
      connection.AwaitEnd();
      connection.Abort();
      return;
    }
    request.old_server = fault.old_server;
    if (fault.status != 0) {
      SendFault(fault, response);
    } else {
      Handle(match->handler, request, response);
    }
    if (fault.truncate) Truncate(response, connection);
  }

  void SendNoRoute(const std::string& allowed, httplib::Response& response) {
    backend_.counters.Count(kNoRoute, "");
    if (allowed.empty()) return SendError(response, 404, "there is no such path");
    response.set_header("Allow", allowed);
    SendError(response, 405, "the method is not allowed here; allowed are " + allowed);
  }

  void SendFault(const Fault& fault, httplib::Response& response) {
    if (fault.retry_after) {
      response.set_header("Retry-After", std::to_string(fault.retry_after->count()));
    }
    if (fault.status >= 500) {
      response.set_header("X-Pulumi-Request-ID", "dev-" + std::to_string(++request_ids_));
    }
    SendError(response, fault.status,
              fault.message.empty() ? "fault " + std::to_string(fault.status) : fault.message);
  }

  void Handle(Handler handler, Request& request, httplib::Response& response) {
    if (!request.http.path.starts_with("/api/oauth/")) {
      auto identity = Authenticate(request.http);
      if (!identity) {
        SendError(response, 401, "Unauthorized: no credentials were provided, or they are invalid");
        return;
      }
      request.identity = *std::move(identity);
      if (!IsAllowed(request)) {
        SendError(response, 403,
                  "the token's identity \"" + request.identity.login +
                      "\" has no permission for this; ask for one in the organization");
        return;
      }
    }
    handler(backend_, request, response);
  }

  std::optional<Identity> Authenticate(const httplib::Request& request) {
    const std::string header = request.get_header_value("Authorization");
    const std::string_view token = TokenOf(header);
    if (token.empty()) return std::nullopt;
    if (auto identity = backend_.tokens.Find(token)) return identity;
    const bool good = backend_.token ? backend_.token->Equals(token) : !backend_.oidc;
    return good ? std::optional<Identity>(std::in_place) : std::nullopt;
  }

  SystemClock system_clock_;
  Clock& clock_;
  Router router_;
  Backend backend_;
  std::atomic<std::uint64_t> request_ids_ = 0;
  std::stop_source stop_;
  // Last: its threads use the rest until it is gone.
  std::unique_ptr<HttpServer> http_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Start(Options options) {
  std::error_code error;
  if (!std::filesystem::is_directory(options.definitions_dir, error)) {
    return InvalidArgument("serve definitions from \"" + options.definitions_dir +
                           "\": it is not a folder");
  }
  const std::string state_folder = StateFolderOf(options);
  ESC_ASSIGN_OR_RETURN(const Secret key, KeyOf(state_folder));
  auto impl = std::make_unique<Impl>(options, state_folder, key);
  ESC_RETURN_IF_ERROR(impl->Start(std::move(options)));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

int Server::port() const { return impl_->http().port(); }

std::string Server::url() const {
  const std::string& host = impl_->http().host();
  const std::string shown = host.contains(':') ? "[" + host + "]" : host;
  return "http://" + shown + ":" + std::to_string(port());
}

Faults& Server::faults() { return impl_->backend().faults; }
RequestCounters& Server::counters() { return impl_->backend().counters; }

}  // namespace escagent::devserver
