#include <charconv>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/json.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"

// The exchange of an OIDC token for an access token (RFC 8693; reference/esc-api.md (b)).
namespace escagent::devserver {
namespace {

using nlohmann::json;

constexpr std::string_view kExchange = "urn:ietf:params:oauth:grant-type:token-exchange";
constexpr std::string_view kIdToken = "urn:ietf:params:oauth:token-type:id_token";
constexpr std::string_view kJwt = "urn:ietf:params:oauth:token-type:jwt";
constexpr std::string_view kAccessToken = "urn:pulumi:token-type:access_token:";
constexpr std::string_view kAudience = "urn:pulumi:org:";

// RFC 6749 section 5.2, with the members that ESC's errors have beside it.
void SendOauthError(httplib::Response& response, int status, const std::string& error,
                    const std::string& description) {
  SendJson(response, status,
           {{"error", error},
            {"error_description", description},
            {"code", status},
            {"message", description}});
}

void SendInvalidRequest(httplib::Response& response, const std::string& description) {
  SendOauthError(response, 400, "invalid_request", description);
}

// The parameters of a form or of a JSON object.
class Parameters {
 public:
  static std::optional<Parameters> Of(const httplib::Request& http) {
    Parameters parameters(http);
    if (http.get_header_value("Content-Type").starts_with("application/json")) {
      auto document = ParseJson(http.body, "body");
      if (!document || !document->is_object()) return std::nullopt;
      parameters.document_ = *std::move(document);
    }
    return parameters;
  }

  std::string operator[](const std::string& name) const {
    if (const auto member = document_.find(name); member != document_.end()) {
      if (member->is_string()) return member->get<std::string>();
      return member->is_number_integer() ? member->dump() : std::string();
    }
    return http_.get().has_param(name) ? http_.get().get_param_value(name) : std::string();
  }

 private:
  explicit Parameters(const httplib::Request& http) : http_(http) {}

  std::reference_wrapper<const httplib::Request> http_;
  json document_ = json::object();
};

// What requested_token_type and scope ask for together; why they fit not, else.
Result<TokenGrant> GrantOf(std::string_view type, std::string_view scope) {
  TokenGrant grant;
  std::string_view prefix;
  if (type == "organization") {
    if (!scope.empty() && scope != "admin") {
      return InvalidArgument("scope must be empty or \"admin\" for an organization's token");
    }
    grant.admin = scope == "admin";
    return grant;
  }
  if (type == "team") {
    grant.type = TokenGrant::Type::kTeam;
    prefix = "team:";
  } else if (type == "personal") {
    grant.type = TokenGrant::Type::kPersonal;
    prefix = "user:";
  } else {
    grant.type = TokenGrant::Type::kRunner;
    prefix = "runner:";
  }
  if (!scope.starts_with(prefix) || scope.size() == prefix.size()) {
    return InvalidArgument("scope must be \"" + std::string(prefix) + "NAME\" for a " +
                           std::string(type) + " token");
  }
  grant.name = scope.substr(prefix.size());
  return grant;
}

// Nothing for a number that is none or not positive.
std::optional<std::chrono::seconds> LifetimeOf(const std::string& text) {
  if (text.empty()) return OidcIssuer::kDefaultLifetime;
  int seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || last != end || seconds <= 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

void SendToken(Backend& backend, std::string_view token, const std::string& organization,
               const TokenGrant& grant, std::chrono::seconds lifetime, const std::string& scope,
               httplib::Response& response) {
  if (!backend.oidc) {
    return SendOauthError(response, 400, "invalid_grant",
                          "no OIDC issuer is registered; start the server with --oidc-issuer and "
                          "--oidc-jwks");
  }
  auto identity = backend.oidc->Authenticate(token, organization, grant);
  if (!identity) {
    const Error& error = identity.error();
    if (error.code == Code::kUnauthenticated) {
      return SendOauthError(response, 400, "invalid_grant", error.message);
    }
    if (error.code == Code::kPermissionDenied) {
      return SendOauthError(response, 403, "access_denied", error.message);
    }
    return SendError(response, error);
  }
  const std::string type(TokenTypeName(grant.type));
  identity->token_name = type + "/" + identity->login;
  lifetime = std::min(lifetime, backend.oidc->max_lifetime());
  const auto access_token = backend.tokens.Issue(*identity, lifetime);
  if (!access_token) return SendError(response, access_token.error());
  response.set_header("Cache-Control", "no-store");
  SendJson(response, 200,
           {{"access_token", access_token->Reveal()},
            {"issued_token_type", std::string(kAccessToken) + type},
            {"token_type", "token"},
            {"expires_in", lifetime.count()},
            {"scope", scope}});
}

void ExchangeToken(Backend& backend, const Request& request, httplib::Response& response) {
  const auto parameters = Parameters::Of(request.http);
  if (!parameters) return SendInvalidRequest(response, "the body must be a form or a JSON object");
  if ((*parameters)["grant_type"] != kExchange) {
    return SendOauthError(response, 400, "unsupported_grant_type",
                          "grant_type must be \"" + std::string(kExchange) + "\"");
  }
  const std::string subject_type = (*parameters)["subject_token_type"];
  if (subject_type != kIdToken && subject_type != kJwt) {
    return SendInvalidRequest(response,
                              "subject_token_type must be \"" + std::string(kIdToken) + "\"");
  }
  const std::string audience = (*parameters)["audience"];
  if (!audience.starts_with(kAudience) || audience.size() == kAudience.size()) {
    return SendInvalidRequest(response, "audience must be \"urn:pulumi:org:ORGANIZATION\"");
  }
  const std::string requested = (*parameters)["requested_token_type"];
  const std::string type =
      requested.starts_with(kAccessToken) ? requested.substr(kAccessToken.size()) : std::string();
  if (type != "organization" && type != "team" && type != "personal" && type != "runner") {
    return SendInvalidRequest(response, "requested_token_type must be \"" +
                                            std::string(kAccessToken) +
                                            "TYPE\" with the type organization, team, personal or "
                                            "runner");
  }
  const std::string scope = (*parameters)["scope"];
  const auto grant = GrantOf(type, scope);
  if (!grant) return SendOauthError(response, 400, "invalid_scope", grant.error().message);
  const auto lifetime = LifetimeOf((*parameters)["expiration"]);
  if (!lifetime) return SendInvalidRequest(response, "expiration must be a number of seconds");
  const std::string token = (*parameters)["subject_token"];
  if (token.empty()) return SendInvalidRequest(response, "subject_token is missing");
  SendToken(backend, token, audience.substr(kAudience.size()), *grant, *lifetime, scope, response);
}

// The route that External Secrets Operator uses: JSON {organization, token}.
void ExchangeOidcToken(Backend& backend, const Request& request, httplib::Response& response) {
  const auto parameters = Parameters::Of(request.http);
  const std::string organization = parameters ? (*parameters)["organization"] : "";
  const std::string token = parameters ? (*parameters)["token"] : "";
  if (organization.empty() || token.empty()) {
    return SendInvalidRequest(response,
                              "the body must be JSON with \"organization\" and \"token\"");
  }
  SendToken(backend, token, organization, {}, OidcIssuer::kDefaultLifetime, "", response);
}

}  // namespace

void AddOauthRoutes(Router& router) {
  router.Add("POST", "/api/oauth/token", ExchangeToken);
  router.Add("POST", "/api/oauth/oidc/token", ExchangeOidcToken);
}

}  // namespace escagent::devserver
