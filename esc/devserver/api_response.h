#pragma once

#include <httplib.h>

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "esc/devserver/definition_store.h"
#include "esc/devserver/router.h"
#include "esc/diagnostic.h"

namespace escagent::devserver {

void SendJson(httplib::Response& response, int status, const nlohmann::json& document);

// The answer to creating or deleting an environment: 204, or 200 for clients that insist (SDKs
// before 0.14, and all with Backend::answer_200).
void SendDone(const Backend& backend, const Request& request, httplib::Response& response);

// ESC's error body: {"code", "message", "diagnostics"?}.
void SendError(httplib::Response& response, int status, const std::string& message,
               std::span<const esc::Diagnostic> diagnostics = {});
// The same with the status that fits the code.
void SendError(httplib::Response& response, const Error& error);
// The same for a definition that has errors.
void SendFindings(httplib::Response& response, std::span<const esc::Diagnostic> diagnostics);

// 200 with JSON that holds values.
void SendValues(httplib::Response& response, const SecretBuilder& document);

// ETag and Pulumi-ESC-Revision.
void SetRevisionHeaders(const Revision& revision, httplib::Response& response);

}  // namespace escagent::devserver
