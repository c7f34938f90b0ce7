#include "agent/doctor/esc_checks.h"

#include <optional>
#include <string_view>
#include <utility>

#include "agent/doctor/clock_check.h"

namespace escagent::doctor {
namespace {

constexpr std::string_view kApiPath = "/api/esc";
constexpr char kRoute[] =
    "the node's and the pods' way to it: network policies, firewall, HTTPS_PROXY where a proxy is "
    "needed; volumes that are mounted keep their values";

// Nothing when the connection can be made, or a proxy makes it.
std::optional<Finding> CheckConnection(const std::string& check, const Host& host,
                                       const EscAccess& access) {
  const Status reached = access.reach(host, access.timeout);
  if (reached) return std::nullopt;
  if (reached.error().code == Code::kNotFound) {
    return Failed(check, reached.error().message,
                  "the address (--esc-url, a store's apiUrl), and the DNS of pods: kubectl run a "
                  "pod that looks the name up");
  }
  return Failed(check, reached.error().message, kRoute);
}

Finding JudgeAnswer(const std::string& check, const HttpResponse& response) {
  const std::string status = "HTTP " + std::to_string(response.status);
  // Whoever comes without a token is told so.
  if (response.status == 401 || response.status == 403 || response.status == 200) {
    return Ok(check, "answers");
  }
  if (response.status == 407) {
    return Failed(check, status + ": the proxy wants credentials", "put them into HTTPS_PROXY");
  }
  if (response.status == 429) {
    return Warning(check, status + ": ESC limits the rate of this address",
                   "fewer agents or longer refresh intervals behind this address");
  }
  if (response.status >= 500) {
    return Failed(check, status + ": it has trouble",
                  "wait, and see its status page; volumes that are mounted keep their values");
  }
  return Failed(check, status + ": something else than Pulumi's API answers",
                "--esc-url or the store's apiUrl: the API is at https://api.pulumi.com, not at "
                "app.pulumi.com; a proxy may answer in its place");
}

}  // namespace

std::string BackendOf(std::string api_url) {
  while (api_url.ends_with('/')) api_url.pop_back();
  if (api_url.ends_with(kApiPath)) api_url.resize(api_url.size() - kApiPath.size());
  return api_url;
}

Findings CheckBackend(const std::string& api_url, const EscAccess& access) {
  const std::string backend = BackendOf(api_url);
  const Result<Host> host = ParseHost(backend);
  if (!host) {
    return {Failed("ESC", host.error().message, "correct --esc-url, or the store's apiUrl")};
  }
  const std::string check = "ESC at " + backend;
  Findings findings;
  if (const auto proxy = FindProxy(*host, access.environment)) {
    const std::string except = access.environment("NO_PROXY") + access.environment("no_proxy");
    findings.push_back(Ok("proxy", *proxy + (except.empty() ? "" : ", but for NO_PROXY")));
  } else if (auto finding = CheckConnection(check, *host, access)) {
    return {*std::move(finding)};
  }
  HttpRequest request;
  request.url = backend + "/api/user";
  request.connect_timeout = access.timeout;
  request.total_timeout = access.timeout;
  const Result<HttpResponse> response = access.transport.Send(request, access.stop);
  if (!response) {
    const bool refused = response.error().code == Code::kInvalidArgument;
    findings.insert(findings.begin(),
                    Failed(check, response.error().message,
                           refused ? "use https, or --allow-plain-http where the way is trusted"
                                   : "TLS: the CA of a self-hosted backend, or of a proxy that "
                                     "looks into TLS, goes into --esc-ca-file; else " +
                                         std::string(kRoute)));
    return findings;
  }
  findings.insert(findings.begin(), JudgeAnswer(check, *response));
  if (auto clock =
          CheckClock(backend, ParseHttpDate(response->Header("Date")), access.clock.WallNow())) {
    findings.push_back(*std::move(clock));
  }
  return findings;
}

Finding CheckStore(const StoreToAsk& store, esc::Api& api, const std::stop_token& stop) {
  const std::string check = "store " + store.name;
  if (!store.token) {
    const Error& error = store.token.error();
    if (error.code == Code::kUnavailable) return Skipped(check, error.message);
    return Failed(check, error.message, "put an access token there");
  }
  const Result<esc::EnvironmentHead> head = api.Head(store.ref, stop);
  const std::string environment = "environment " + store.ref.ToString();
  if (head) return Ok(check, environment + " can be read with the token of " + store.token_place);
  const std::string& message = head.error().message;
  switch (head.error().code) {
    case Code::kUnauthenticated:
      return Failed(check, "ESC does not take the token of " + store.token_place + ": " + message,
                    "the token was deleted, has expired, or is another backend's: make a new "
                    "access token and put it there");
    case Code::kPermissionDenied:
      return Failed(check, message,
                    "give the token's user, team or role the permission to open " + environment);
    case Code::kNotFound:
      return Failed(check, message,
                    "the store's organization, project and environment; or the token may not see "
                    "it");
    case Code::kResourceExhausted:
      return Warning(check, message, "ask again later; fewer stores, or longer refresh intervals");
    case Code::kUnimplemented:
      return Warning(check, message, "the backend is too old to be asked without opening");
    case Code::kCancelled:
      return Skipped(check, "out of time; what came before was too slow");
    default:
      return Failed(check, message, kRoute);
  }
}

}  // namespace escagent::doctor
