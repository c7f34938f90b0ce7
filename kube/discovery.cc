#include "kube/discovery.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/json_fields.h"
#include "base/strings.h"
#include "kube/api_error.h"

namespace escagent::kube {
namespace {

std::unexpected<Error> BadAnswer(const std::string& action, const std::string& cause) {
  return Unavailable(action + ": the answer is not what the Kubernetes API describes: " + cause +
                     "; check the server's address and any proxy");
}

}  // namespace

Result<HttpResponse> Discovery::Get(const std::string& path, const std::string& action,
                                    const std::stop_token& stop) {
  Result<Connection::Request> request = connection_.Prepare("GET", path, stop);
  if (!request) return std::unexpected(Annotate(std::move(request).error(), action));
  request->http.headers.push_back({"Accept", "application/json"});
  request->http.connect_timeout = std::min(request->http.connect_timeout, timeout_);
  request->http.total_timeout = timeout_;
  Result<HttpResponse> response = transport_.Send(request->http, stop);
  if (!response) return std::unexpected(Annotate(std::move(response).error(), action));
  return response;
}

Result<Discovery::Version> Discovery::ReadVersion(const std::stop_token& stop) {
  const std::string action = "ask the API server for its version";
  ESC_ASSIGN_OR_RETURN(const HttpResponse response, Get("/version", action, stop));
  if (response.status != 200) return std::unexpected(ApiError(response, action, {}, {}));
  const Result<nlohmann::json> document = ParseJson(response.body.Reveal(), "answer");
  if (!document) return BadAnswer(action, document.error().message);
  Version version{.name = StringMember(*document, "gitVersion"),
                  .date = ParseHttpDate(response.Header("Date"))};
  if (version.name.empty()) return BadAnswer(action, "it has no version");
  return version;
}

Result<std::vector<std::string>> Discovery::ReadKinds(const std::string& group,
                                                      const std::string& version,
                                                      const std::stop_token& stop) {
  const std::string path = "/apis/" + UrlEncode(group) + "/" + UrlEncode(version);
  const std::string action = "ask the API server for the kinds of " + group + "/" + version;
  ESC_ASSIGN_OR_RETURN(const HttpResponse response, Get(path, action, stop));
  std::vector<std::string> kinds;
  if (response.status == 404) return kinds;
  if (response.status != 200) return std::unexpected(ApiError(response, action, {}, {}));
  const Result<nlohmann::json> document = ParseJson(response.body.Reveal(), "answer");
  if (!document) return BadAnswer(action, document.error().message);
  for (const nlohmann::json& kind : Member(*document, "resources")) {
    std::string name = StringMember(kind, "name");
    if (!name.empty() && name.find('/') == std::string::npos) kinds.push_back(std::move(name));
  }
  return kinds;
}

}  // namespace escagent::kube
