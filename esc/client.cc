#include "esc/client.h"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/duration.h"
#include "base/json.h"
#include "base/strings.h"
#include "esc/api_error.h"
#include "esc/diagnostic.h"
#include "esc/trace_reader.h"
#include "esc/value_json.h"

namespace escagent::esc {
namespace {

using nlohmann::json;

constexpr std::string_view kApiPrefix = "/api/esc";
constexpr std::string_view kAccept = "application/vnd.pulumi+8";
// The tag that every environment has; it names the newest revision.
constexpr std::string_view kLatest = "latest";

std::string NormalizeApiUrl(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with(kApiPrefix)) url += kApiPrefix;
  return url;
}

std::string EnvironmentPath(const EnvironmentRef& ref) {
  return "/environments/" + UrlEncode(ref.organization) + "/" + UrlEncode(ref.project) + "/" +
         UrlEncode(ref.environment);
}

std::string VersionPath(const EnvironmentRef& ref) {
  std::string path = EnvironmentPath(ref);
  if (!ref.version.empty()) path += "/versions/" + UrlEncode(ref.version);
  return path;
}

// A session is read without the version it was opened with.
std::string SessionPath(const EnvironmentRef& ref, std::string_view session_id) {
  return EnvironmentPath(ref) + "/open/" + UrlEncode(session_id);
}

bool IsRevisionNumber(std::string_view version) {
  return !version.empty() &&
         std::ranges::all_of(version, [](char c) { return c >= '0' && c <= '9'; });
}

bool IsSuccess(const HttpResponse& response) {
  return response.status >= 200 && response.status < 300;
}

// The answer was 2xx but makes no sense.
std::unexpected<Error> BadAnswer(std::string_view action, std::string_view cause) {
  return Unavailable(std::string(action) + ": the answer is not what Pulumi ESC's API describes: " +
                     std::string(cause) + "; check the API URL and any proxy");
}

// What a reader of the answer found wrong with it.
std::unexpected<Error> BadAnswer(std::string_view action, const Error& error) {
  return BadAnswer(action, error.message);
}

// Identifiers are numbers or strings, depending on the server.
std::optional<std::string> IdMember(const json& document, const char* name) {
  if (!document.is_object()) return std::nullopt;
  const auto it = document.find(name);
  if (it == document.end()) return std::nullopt;
  if (it->is_number_integer()) return it->dump();
  if (it->is_string() && !it->get_ref<const std::string&>().empty()) return it->get<std::string>();
  return std::nullopt;
}

std::vector<Diagnostic> DiagnosticsOf(const json& document) {
  if (!document.is_object()) return {};
  const auto it = document.find("diagnostics");
  return it == document.end() ? std::vector<Diagnostic>() : DiagnosticsFromJson(*it);
}

}  // namespace

Client::Client(Options options, HttpTransport& transport, const Clock& clock)
    : options_(std::move(options)), transport_(transport), clock_(clock) {
  options_.api_url = NormalizeApiUrl(std::move(options_.api_url));
}

HttpRequest Client::MakeRequest(std::string_view method, std::string_view path_and_query) const {
  HttpRequest request;
  request.method = method;
  request.url = options_.api_url + std::string(path_and_query);
  request.headers.push_back({"Accept", std::string(kAccept)});
  request.connect_timeout = options_.connect_timeout;
  request.total_timeout = options_.total_timeout;
  return request;
}

Result<Client::Answer> Client::Send(HttpRequest request, std::string_view action,
                                    std::stop_token stop) const {
  std::shared_ptr<const Secret> token = options_.token;
  for (bool repeated = false;; repeated = true) {
    if (options_.tokens != nullptr) {
      Result<std::shared_ptr<const Secret>> next = options_.tokens->Get(stop);
      if (!next) return std::unexpected(Annotate(std::move(next).error(), action));
      token = *std::move(next);
    }
    request.credential = token.get();
    Result<HttpResponse> response = transport_.Send(request, stop);
    if (!response) return std::unexpected(Annotate(std::move(response).error(), action));
    if (response->status != 401 || options_.tokens == nullptr || repeated) {
      return Answer{*std::move(response), std::move(token)};
    }
    options_.tokens->Refuse(*token);
  }
}

Result<HttpResponse> Client::SendExpectingSuccess(HttpRequest request, std::string_view action,
                                                  std::stop_token stop) const {
  ESC_ASSIGN_OR_RETURN(Answer answer, Send(std::move(request), action, std::move(stop)));
  if (!IsSuccess(answer.response)) return Fail(answer, action);
  return std::move(answer.response);
}

std::unexpected<Error> Client::Fail(const Answer& answer, std::string_view action) const {
  return std::unexpected(ApiError(answer.response, action, *answer.token, clock_.WallNow()));
}

Result<OpenSession> Client::Open(const EnvironmentRef& ref, std::chrono::seconds duration,
                                 std::stop_token stop) {
  const std::string action = "open environment " + ref.ToString();
  HttpRequest request = MakeRequest(
      "POST", VersionPath(ref) + "/open?duration=" + UrlEncode(FormatDuration(duration)));
  request.content_type = "application/json";
  ESC_ASSIGN_OR_RETURN(const HttpResponse response,
                       SendExpectingSuccess(std::move(request), action, std::move(stop)));
  const Result<json> document = ParseJson(response.body.Reveal(), "answer");
  if (!document) return BadAnswer(action, document.error());
  std::optional<std::string> id = IdMember(*document, "id");
  if (!id) return BadAnswer(action, "it has no session id");
  return OpenSession{*std::move(id), DiagnosticsOf(*document)};
}

Result<HttpResponse> Client::GetSession(const EnvironmentRef& ref, std::string_view session_id,
                                        std::string_view action, std::stop_token stop) const {
  Result<HttpResponse> response = SendExpectingSuccess(
      MakeRequest("GET", SessionPath(ref, session_id)), action, std::move(stop));
  if (response) return response;
  Error error = std::move(response).error();
  // The open just before found the environment, so only the session can be what is missing.
  if (error.code == Code::kNotFound) error.code = Code::kAborted;
  return std::unexpected(std::move(error));
}

Result<Value> Client::ReadSession(const EnvironmentRef& ref, std::string_view session_id,
                                  std::stop_token stop) {
  const std::string action = "read environment " + ref.ToString();
  ESC_ASSIGN_OR_RETURN(const HttpResponse response,
                       GetSession(ref, session_id, action, std::move(stop)));
  Result<Value> properties = ParseEnvironment(response.body.Reveal(), "answer");
  if (!properties) return BadAnswer(action, properties.error());
  return properties;
}

Result<std::vector<EnvironmentRef>> Client::ReadContributors(const EnvironmentRef& ref,
                                                             std::string_view session_id,
                                                             std::stop_token stop) {
  const std::string action =
      "read where the values of environment " + ref.ToString() + " come from";
  ESC_ASSIGN_OR_RETURN(const HttpResponse response,
                       GetSession(ref, session_id, action, std::move(stop)));
  TraceReader reader(ref);
  if (const Status read = ParseJsonSax(response.body.Reveal(), "answer", reader); !read) {
    return BadAnswer(action, read.error());
  }
  return reader.Contributors();
}

Result<Value> Client::ReadProperty(const EnvironmentRef& ref, std::string_view session_id,
                                   std::string_view property_path, std::stop_token stop) {
  const std::string action =
      "read property " + std::string(property_path) + " of environment " + ref.ToString();
  HttpRequest request =
      MakeRequest("GET", SessionPath(ref, session_id) + "?property=" + UrlEncode(property_path));
  ESC_ASSIGN_OR_RETURN(const HttpResponse response,
                       SendExpectingSuccess(std::move(request), action, std::move(stop)));
  Result<Value> value = ParseValueNode(response.body.Reveal(), "answer");
  if (!value) return BadAnswer(action, value.error());
  return value;
}

Result<EnvironmentHead> Client::Head(const EnvironmentRef& ref, std::stop_token stop) {
  const std::string action = "look at environment " + ref.ToString();
  const bool is_number = IsRevisionNumber(ref.version);
  if (!ref.version.empty() && !is_number && ref.version != kLatest) {
    return HeadTag(ref, action, std::move(stop));
  }
  ESC_ASSIGN_OR_RETURN(
      const HttpResponse response,
      SendExpectingSuccess(MakeRequest("HEAD", EnvironmentPath(ref)), action, std::move(stop)));
  if (is_number) return EnvironmentHead{.etag = "", .revision = ref.version};
  EnvironmentHead head{.etag = std::string(response.Header("ETag")),
                       .revision = std::string(response.Header("Pulumi-ESC-Revision"))};
  if (head.etag.empty() && head.revision.empty()) {
    // Without either nobody would ever see a change.
    return MakeError(Code::kUnimplemented,
                     action + ": the server tells neither an ETag nor a revision");
  }
  return head;
}

Result<EnvironmentHead> Client::HeadTag(const EnvironmentRef& ref, std::string_view action,
                                        std::stop_token stop) const {
  HttpRequest request =
      MakeRequest("GET", EnvironmentPath(ref) + "/versions/tags/" + UrlEncode(ref.version));
  ESC_ASSIGN_OR_RETURN(const HttpResponse response,
                       SendExpectingSuccess(std::move(request), action, std::move(stop)));
  const Result<json> document = ParseJson(response.body.Reveal(), "answer");
  if (!document) return BadAnswer(action, document.error());
  std::optional<std::string> revision = IdMember(*document, "revision");
  if (!revision) return BadAnswer(action, "it has no revision");
  return EnvironmentHead{.etag = "", .revision = *std::move(revision)};
}

Result<Definition> Client::GetDefinition(const EnvironmentRef& ref, std::stop_token stop) {
  return ReadDefinition(VersionPath(ref), "read the definition of environment " + ref.ToString(),
                        std::move(stop));
}

Result<Definition> Client::GetDecryptedDefinition(const EnvironmentRef& ref, std::stop_token stop) {
  return ReadDefinition(VersionPath(ref) + "/decrypt",
                        "read the decrypted definition of environment " + ref.ToString(),
                        std::move(stop));
}

Result<Definition> Client::ReadDefinition(const std::string& path, std::string_view action,
                                          std::stop_token stop) const {
  ESC_ASSIGN_OR_RETURN(HttpResponse response,
                       SendExpectingSuccess(MakeRequest("GET", path), action, std::move(stop)));
  std::string etag(response.Header("ETag"));
  std::string revision(response.Header("Pulumi-ESC-Revision"));
  return Definition{std::move(response.body), std::move(etag), std::move(revision)};
}

Result<DefinitionUpdate> Client::UpdateDefinition(const EnvironmentRef& ref, const Secret& yaml,
                                                  std::string_view etag, std::stop_token stop) {
  const std::string action = "update the definition of environment " + ref.ToString();
  if (!ref.version.empty()) {
    return InvalidArgument(action + ": a version cannot be changed; leave @" + ref.version +
                           " out");
  }
  // Without one the server would overwrite whatever is there.
  if (etag.empty()) return InvalidArgument(action + ": the ETag of the definition is missing");
  HttpRequest request = MakeRequest("PATCH", EnvironmentPath(ref));
  request.headers.push_back({"ETag", std::string(etag)});
  request.content_type = "application/x-yaml";
  request.body = yaml.Clone();
  ESC_ASSIGN_OR_RETURN(const HttpResponse response,
                       SendExpectingSuccess(std::move(request), action, std::move(stop)));
  DefinitionUpdate update{.etag = std::string(response.Header("ETag")),
                          .revision = std::string(response.Header("Pulumi-ESC-Revision")),
                          .warnings = {}};
  // It is saved, whatever else the answer says.
  if (const Result<json> document = ParseJson(response.body.Reveal(), "answer")) {
    update.warnings = DiagnosticsOf(*document);
  }
  return update;
}

Result<CheckResult> Client::CheckYaml(std::string_view organization, const Secret& yaml,
                                      std::stop_token stop) {
  const std::string action = "check a definition for organization " + std::string(organization);
  HttpRequest request =
      MakeRequest("POST", "/environments/" + UrlEncode(organization) + "/yaml/check");
  request.content_type = "application/x-yaml";
  request.body = yaml.Clone();
  ESC_ASSIGN_OR_RETURN(const Answer answer, Send(std::move(request), action, std::move(stop)));
  const HttpResponse& response = answer.response;
  // Faults in the definition come with status 200 or 400, depending on the server.
  if (!IsSuccess(response) && response.status != 400) return Fail(answer, action);
  Result<json> document = ParseJson(response.body.Reveal(), "answer");
  if (!document) {
    return IsSuccess(response) ? BadAnswer(action, document.error()) : Fail(answer, action);
  }
  CheckResult result{Value::MakeObject({}), DiagnosticsOf(*document)};
  Scrub(*document);
  if (!IsSuccess(response) && result.diagnostics.empty()) return Fail(answer, action);
  if (IsSuccess(response) && (result.diagnostics.empty() || document->contains("properties"))) {
    Result<Value> properties = ParseEnvironment(response.body.Reveal(), "answer");
    if (!properties) return BadAnswer(action, properties.error());
    result.properties = *std::move(properties);
  }
  return result;
}

}  // namespace escagent::esc
