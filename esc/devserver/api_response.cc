#include "esc/devserver/api_response.h"

#include "base/json.h"
#include "esc/devserver/backend.h"

namespace escagent::devserver {
namespace {

int StatusOf(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kUnauthenticated:
      return 401;
    case Code::kPermissionDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kAborted:
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
      return 409;
    default:
      return 500;
  }
}

}  // namespace

void SendJson(httplib::Response& response, int status, const nlohmann::json& document) {
  response.status = status;
  response.set_content(DumpJson(document), "application/json");
}

void SendDone(const Backend& backend, const Request& request, httplib::Response& response) {
  constexpr std::string_view kOldSdk = "esc-sdk/ts/v0.12";
  if (backend.answer_200 || request.http.get_header_value("User-Agent").starts_with(kOldSdk)) {
    return SendJson(response, 200, nlohmann::json::object());
  }
  response.status = 204;
}

void SendError(httplib::Response& response, int status, const std::string& message,
               std::span<const esc::Diagnostic> diagnostics) {
  nlohmann::json body = {{"code", status}, {"message", message}};
  if (!diagnostics.empty()) body["diagnostics"] = esc::DiagnosticsToJson(diagnostics);
  SendJson(response, status, body);
}

void SendError(httplib::Response& response, const Error& error) {
  SendError(response, StatusOf(error.code), error.message);
}

void SendFindings(httplib::Response& response, std::span<const esc::Diagnostic> diagnostics) {
  SendError(response, 400, "the environment definition is invalid", diagnostics);
}

void SendValues(httplib::Response& response, const SecretBuilder& document) {
  response.status = 200;
  response.set_content(std::string(document.Reveal()), "application/json");
}

void SetRevisionHeaders(const Revision& revision, httplib::Response& response) {
  response.set_header("ETag", revision.etag);
  response.set_header("Pulumi-ESC-Revision", std::to_string(revision.number));
}

}  // namespace escagent::devserver
