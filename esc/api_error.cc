#include "esc/api_error.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/json.h"
#include "base/strings.h"
#include "esc/diagnostic.h"
#include "esc/text_limit.h"

namespace escagent::esc {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxText = 500;
constexpr std::size_t kMaxRequestId = 100;
constexpr std::string_view kRequestIdBegin = " (request id ";
// Shorter texts are no tokens: replacing them would only garble messages.
constexpr std::size_t kMinToken = 8;
constexpr std::string_view kTokenMark = "[token]";
// ESC's error bodies are small; a large one is something else's page.
constexpr std::size_t kMaxErrorBody = std::size_t{256} << 10;

struct ErrorBody {
  std::string message;
  std::vector<Diagnostic> diagnostics;
};

// In all texts: JSON may have spelt it in another way than the token is. Not in names, which nobody
// is told.
void RemoveToken(json& document, const Secret& token) {
  if (auto* text = document.get_ptr<std::string*>(); text != nullptr) {
    *text = WithoutToken(std::move(*text), token);
  }
  if (!document.is_structured()) return;
  for (json& element : document) RemoveToken(element, token);
}

ErrorBody ReadBody(const HttpResponse& response, const Secret& token) {
  ErrorBody body;
  if (response.body.Empty() || response.body.Size() > kMaxErrorBody) return body;
  // Before texts are cut: half a token is still a leak.
  std::string text = WithoutToken(std::string(response.body.Reveal()), token);
  Result<json> document = ParseJson(text, "error answer");
  WipeString(text);
  if (!document) return body;
  RemoveToken(*document, token);
  if (document->is_object()) {
    if (const auto it = document->find("message"); it != document->end() && it->is_string()) {
      body.message = LimitText(it->get_ref<const std::string&>(), kMaxText);
    }
    if (const auto it = document->find("diagnostics"); it != document->end()) {
      body.diagnostics = DiagnosticsFromJson(*it);
    }
  }
  Scrub(*document);
  return body;
}

bool ContainsIgnoreCase(std::string_view text, std::string_view word) {
  for (std::size_t i = 0; i + word.size() <= text.size(); ++i) {
    if (EqualsIgnoreCase(text.substr(i, word.size()), word)) return true;
  }
  return false;
}

Code CodeOf(int status) {
  if (status < 400) return Code::kUnavailable;
  const Code code = CodeOfHttpStatus(status);
  return code == Code::kUnknown ? Code::kUnavailable : code;
}

// What the reader can do about it; empty when the message says it all.
std::string_view Hint(int status, std::string_view message) {
  if (status < 400) return "this is no answer of Pulumi ESC; check the API URL and any proxy";
  switch (status) {
    case 401:
      return "the access token was refused; check the access token of the store";
    case 403:
      return ContainsIgnoreCase(message, "approv")
                 ? "opening this environment needs an approved request; ask for one in Pulumi Cloud"
                 : "the access token may not do this; check its permissions on the environment";
    case 404:
      return "no such environment, version or session, or the token cannot see it";
    case 409:
      return "somebody else changed it at the same time; read it again";
    case 429:
      return "too many requests; it is tried again later";
    default:
      return "";
  }
}

}  // namespace

Error ApiError(const HttpResponse& response, std::string_view action, const Secret& token,
               std::chrono::system_clock::time_point now) {
  const int status = response.status;
  const ErrorBody body = ReadBody(response, token);
  std::string said = body.message;
  if (const std::string diagnostics = JoinDiagnostics(body.diagnostics); !diagnostics.empty()) {
    said += (said.empty() ? "" : ": ") + diagnostics;
  }
  said = WithoutToken(std::move(said), token);
  std::string message = std::string(action) + ": HTTP " + std::to_string(status);
  if (!said.empty()) message += ": " + said;
  if (const std::string_view hint = Hint(status, said); !hint.empty()) {
    message.append("; ").append(hint);
  }
  if (const std::string_view id = response.Header("X-Pulumi-Request-ID");
      status >= 500 && !id.empty()) {
    message.append(kRequestIdBegin) +=
        LimitText(WithoutToken(std::string(id), token), kMaxRequestId) + ")";
  }
  Error error{CodeOf(status), std::move(message), {}};
  if (status == 429 || status == 503) error.retry_after = RetryAfter(response, now);
  return error;
}

std::string WithoutToken(std::string text, const Secret& token) {
  if (token.Size() < kMinToken) return text;
  for (std::size_t at = text.find(token.Reveal()); at != std::string::npos;
       at = text.find(token.Reveal(), at)) {
    text.replace(at, token.Size(), kTokenMark);
    at += kTokenMark.size();
  }
  return text;
}

std::string WithoutRequestId(std::string message) {
  const std::size_t begin = message.find(kRequestIdBegin);
  if (begin == std::string::npos) return message;
  const std::size_t end = message.find(')', begin);
  return message.erase(begin, end == std::string::npos ? end : end + 1 - begin);
}

}  // namespace escagent::esc
