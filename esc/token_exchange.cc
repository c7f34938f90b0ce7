#include "esc/token_exchange.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "base/strings.h"
#include "esc/api_error.h"
#include "esc/text_limit.h"

namespace escagent::esc {
namespace {

using nlohmann::json;

constexpr std::string_view kEscPath = "/api/esc";
constexpr std::size_t kMaxSaid = 300;
constexpr std::size_t kMaxBody = std::size_t{256} << 10;
// Pulumi's longest is 25 h; more than a week is no lifetime but a mistake.
constexpr std::int64_t kMaxLifetime = 7 * 24 * 3600;

std::string UrlOf(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with(kEscPath)) url.resize(url.size() - kEscPath.size());
  return url + "/api/oauth/token";
}

std::string_view TypeOf(std::string_view scope) {
  if (scope.starts_with("team:")) return "team";
  if (scope.starts_with("user:")) return "personal";
  return "organization";
}

Secret FormOf(const TokenGrant& grant, const Secret& subject, std::chrono::seconds lifetime) {
  SecretBuilder form;
  form.Append("audience=" + UrlEncode(AudienceOf(grant.organization)));
  form.Append("&grant_type=" + UrlEncode("urn:ietf:params:oauth:grant-type:token-exchange"));
  form.Append("&subject_token_type=" + UrlEncode("urn:ietf:params:oauth:token-type:id_token"));
  form.Append("&requested_token_type=" +
              UrlEncode("urn:pulumi:token-type:access_token:" + std::string(TypeOf(grant.scope))));
  form.Append("&scope=" + UrlEncode(grant.scope));
  if (lifetime.count() > 0) form.Append("&expiration=" + std::to_string(lifetime.count()));
  std::string encoded = UrlEncode(subject.Reveal());
  form.Append("&subject_token=");
  form.Append(encoded);
  WipeString(encoded);
  return form.Finish();
}

std::string StringOf(const json& document, const char* name) {
  const auto it = document.find(name);
  return it != document.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// What the server says: RFC 6749 5.2, or Pulumi's own "message".
std::string SaidIn(const HttpResponse& response, const Secret& subject) {
  if (response.body.Empty() || response.body.Size() > kMaxBody) return "";
  std::string text = WithoutToken(std::string(response.body.Reveal()), subject);
  Result<json> document = ParseJson(text, "error answer");
  WipeString(text);
  if (!document || !document->is_object()) return "";
  std::string said = StringOf(*document, "error_description");
  if (said.empty()) said = StringOf(*document, "message");
  if (said.empty()) said = StringOf(*document, "error");
  Scrub(*document);
  // Again, as JSON may have spelt it in another way; before the text is cut, as half a token is a
  // leak.
  return LimitText(WithoutToken(std::move(said), subject), kMaxSaid);
}

Code RefusalCode(int status) {
  if (status == 401) return Code::kUnauthenticated;
  if (status == 404 || status == 405) return Code::kFailedPrecondition;
  // What the server finds wrong with the token, and with what it asks for.
  if (status == 400 || status == 403 || status == 422) return Code::kPermissionDenied;
  return Code::kUnavailable;
}

std::string HintFor(Code code, const TokenGrant& grant) {
  switch (code) {
    case Code::kUnauthenticated:
    case Code::kPermissionDenied:
      return "; in Pulumi Cloud organization " + grant.organization +
             " must have the cluster's issuer registered, with an allow policy for this service "
             "account, and the token the audience " +
             AudienceOf(grant.organization);
    case Code::kFailedPrecondition:
      return "; the server does not exchange tokens; check the API URL, or use an access token";
    default:
      return "";
  }
}

Error ErrorOf(const HttpResponse& response, std::string_view action, const TokenGrant& grant,
              const Secret& subject, Clock::WallTime now) {
  Error error{.code = RefusalCode(response.status),
              .message = std::string(action) + ": HTTP " + std::to_string(response.status)};
  if (const std::string said = SaidIn(response, subject); !said.empty()) {
    error.message += ": " + said;
  }
  error.message += HintFor(error.code, grant);
  if (response.status == 429 || response.status == 503)
    error.retry_after = RetryAfter(response, now);
  return error;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

// `expires_in` as number or as text, as some servers write it.
std::chrono::seconds LifetimeIn(const json& document, std::chrono::seconds assumed) {
  const auto it = document.find("expires_in");
  if (it == document.end()) return assumed;
  double seconds = 0;
  if (it->is_number()) {
    seconds = it->get<double>();
  } else if (it->is_string()) {
    const Result<json> number = ParseJson(it->get_ref<const std::string&>(), "expires_in");
    if (number && number->is_number()) seconds = number->get<double>();
  }
  // Not a number fails both comparisons.
  if (!(seconds >= 1)) return assumed;
  return std::chrono::seconds(
      static_cast<std::int64_t>(std::min(seconds, static_cast<double>(kMaxLifetime))));
}

}  // namespace

std::string AudienceOf(const std::string& organization) { return "urn:pulumi:org:" + organization; }

Result<ExchangedToken> TokenExchange::Exchange(const std::string& api_url, const TokenGrant& grant,
                                               const Secret& subject, std::chrono::seconds lifetime,
                                               std::stop_token stop) const {
  const std::string action =
      "exchange a service account's token for an access token of organization " +
      grant.organization + (grant.scope.empty() ? "" : " (" + grant.scope + ")");
  HttpRequest request;
  request.method = "POST";
  request.url = UrlOf(api_url);
  request.headers.push_back({"Accept", "application/json"});
  request.content_type = "application/x-www-form-urlencoded";
  request.body = FormOf(grant, subject, lifetime);
  request.connect_timeout = options_.connect_timeout;
  request.total_timeout = options_.total_timeout;
  request.max_body = kMaxBody;
  Result<HttpResponse> response = transport_.Send(request, std::move(stop));
  if (!response) {
    Error error = Annotate(std::move(response).error(), action);
    if (error.code == Code::kDeadlineExceeded || error.code == Code::kResourceExhausted) {
      error.code = Code::kUnavailable;
    }
    return std::unexpected(std::move(error));
  }
  if (response->status != 200) {
    return std::unexpected(ErrorOf(*response, action, grant, subject, clock_.WallNow()));
  }
  Result<json> document = ParseJson(response->body.Reveal(), "answer");
  ExchangedToken exchanged;
  if (document && document->is_object()) {
    if (const auto it = document->find("access_token");
        it != document->end() && it->is_string() && IsToken(it->get_ref<const std::string&>())) {
      exchanged.token = Secret(std::string_view(it->get_ref<const std::string&>()));
      exchanged.lifetime = LifetimeIn(*document, options_.assumed_lifetime);
    }
  }
  if (document) Scrub(*document);
  if (exchanged.token.Empty()) {
    return Unavailable(action +
                       ": the answer holds no access token; check the API URL and any "
                       "proxy");
  }
  return exchanged;
}

}  // namespace escagent::esc
