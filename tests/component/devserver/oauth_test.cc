#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/strings.h"
#include "tests/component/devserver/server_fixture.h"
#include "tests/fakes/fake_oidc_issuer.h"

// The exchange of OIDC tokens for access tokens, and what these are good for.

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;
using escagent::testing::FakeOidcIssuer;
using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kIssuer = "https://kubernetes.default.svc";
constexpr const char* kForm = "application/x-www-form-urlencoded";

class OauthTest : public ServerFixture {
 protected:
  OauthTest() { WriteKeys(issuer_); }

  void WriteKeys(const FakeOidcIssuer& issuer) const {
    std::ofstream(files_.path() + "/jwks.json") << issuer.Jwks();
  }

  void WritePolicy(const std::string& text) const {
    std::ofstream(files_.path() + "/policy.yaml") << text;
  }

  void StartOidc(bool with_policy = false, std::optional<std::string> token = std::nullopt) {
    Server::Options options;
    options.oidc = OidcOptions{
        .issuer = kIssuer,
        .jwks_file = files_.path() + "/jwks.json",
        .policy_file = with_policy ? files_.path() + "/policy.yaml" : "",
        .max_lifetime = 10h,
    };
    if (token) options.token = Secret(std::string_view(*token));
    StartWith(std::move(options));
    client_->set_default_headers({});
  }

  long long Now() const { return std::chrono::system_clock::to_time_t(clock_.WallNow()); }

  json Claims(const std::string& service_account = "web") const {
    return FakeOidcIssuer::PodClaims(kIssuer, "acme", "shop", service_account, Now(), Now() + 3600);
  }

  static json Exchange(const std::string& subject_token) {
    return {{"audience", "urn:pulumi:org:acme"},
            {"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
            {"subject_token_type", "urn:ietf:params:oauth:token-type:id_token"},
            {"requested_token_type", "urn:pulumi:token-type:access_token:organization"},
            {"scope", ""},
            {"subject_token", subject_token}};
  }

  httplib::Result PostJson(const json& body, const char* path = "/api/oauth/token") {
    return client_->Post(path, body.dump(), "application/json");
  }

  httplib::Result PostForm(const json& body) {
    std::string form;
    for (auto it = body.begin(); it != body.end(); ++it) {
      form += (form.empty() ? "" : "&") + it.key() + "=" + UrlEncode(it->get<std::string>());
    }
    return client_->Post("/api/oauth/token", form, kForm);
  }

  std::string TokenFor(const json& claims) {
    return Json(PostJson(Exchange(issuer_.Sign(claims)))).value("access_token", "");
  }

  httplib::Result GetWith(const std::string& token, const std::string& path = kEnvironment) {
    return client_->Get(path, {{"Authorization", "token " + token}});
  }

  // "status error description" of an exchange that is refused.
  std::string Refusal(const json& body) {
    const auto result = PostJson(body);
    const json answer = Json(result);
    return std::to_string(result->status) + " " + answer.value("error", "") + ": " +
           answer.value("error_description", "");
  }

  const FakeOidcIssuer issuer_;
  const DefinitionFolder files_;
};

TEST_F(OauthTest, ExchangesTokens) {
  StartOidc();
  const auto form = PostForm(Exchange(issuer_.Sign(Claims())));
  ASSERT_EQ(form->status, 200) << form->body;
  const json answer = Json(form);
  EXPECT_EQ(answer["issued_token_type"], "urn:pulumi:token-type:access_token:organization");
  EXPECT_EQ(answer["token_type"], "token");
  EXPECT_EQ(answer["expires_in"], 7200);
  EXPECT_EQ(answer["scope"], "");
  EXPECT_EQ(form->get_header_value("Cache-Control"), "no-store");
  const std::string token = answer["access_token"].get<std::string>();
  EXPECT_EQ(GetWith(token)->status, 200);
  const json user = Json(GetWith(token, "/api/user"));
  EXPECT_EQ(user["githubLogin"], "system:serviceaccount:shop:web");
  EXPECT_EQ(user["tokenInfo"]["organization"], "acme");
  EXPECT_EQ(user["organizations"][0]["githubLogin"], "acme");
  // Nobody else's, and none of another organization.
  EXPECT_EQ(GetWith("any")->status, 401);
  EXPECT_EQ(GetWith(token, "/api/esc/environments/globex")->status, 403);
}

TEST_F(OauthTest, TokensExpire) {
  StartOidc();
  json body = Exchange(issuer_.Sign(Claims()));
  body["expiration"] = 600;
  const json answer = Json(PostJson(body));
  EXPECT_EQ(answer["expires_in"], 600);
  const std::string token = answer["access_token"].get<std::string>();
  clock_.Advance(599s);
  EXPECT_EQ(GetWith(token)->status, 200);
  clock_.Advance(1s);
  EXPECT_EQ(GetWith(token)->status, 401);
  // Text, as a form has it; and not beyond the maximum.
  body["expiration"] = "999999";
  EXPECT_EQ(Json(PostJson(body))["expires_in"], 36000);
}

TEST_F(OauthTest, ServesTheRouteOfExternalSecretsOperator) {
  StartOidc();
  const json good = {{"organization", "acme"}, {"token", issuer_.Sign(Claims())}};
  const json answer = Json(PostJson(good, "/api/oauth/oidc/token"));
  EXPECT_EQ(answer["expires_in"], 7200);
  EXPECT_EQ(GetWith(answer["access_token"].get<std::string>())->status, 200);
  const json other = {{"organization", "globex"}, {"token", issuer_.Sign(Claims())}};
  EXPECT_EQ(PostJson(other, "/api/oauth/oidc/token")->status, 400);
  EXPECT_EQ(PostJson({{"token", "x"}}, "/api/oauth/oidc/token")->status, 400);
}

TEST_F(OauthTest, RefusesTokensThatAreNotGood) {
  StartOidc();
  const auto refusal = [&](const char* claim, const json& value) {
    json claims = Claims();
    claims[claim] = value;
    return Refusal(Exchange(issuer_.Sign(claims)));
  };
  EXPECT_THAT(refusal("iss", "https://other"), HasSubstr("400 invalid_grant: verify the subject "
                                                         "token: no issuer with the URL"));
  EXPECT_THAT(refusal("aud", "urn:pulumi:org:globex"),
              HasSubstr("its audience is not \"urn:pulumi:org:acme\""));
  EXPECT_THAT(refusal("exp", Now() - 60), HasSubstr("it has expired"));
  EXPECT_THAT(refusal("exp", nullptr), HasSubstr("no expiration time"));
  EXPECT_THAT(refusal("nbf", Now() + 60), HasSubstr("not valid yet"));
  // Clocks may differ a little; "aud" may be one text.
  EXPECT_EQ(refusal("nbf", Now() + 20), "200 : ");
  EXPECT_EQ(refusal("aud", "urn:pulumi:org:acme"), "200 : ");
  const FakeOidcIssuer stranger;
  EXPECT_THAT(Refusal(Exchange(stranger.Sign(Claims()))), HasSubstr("signature"));
}

TEST_F(OauthTest, RefusesRequestsThatAreNotGood) {
  StartOidc();
  const auto refusal = [&](const char* member, const json& value) {
    json body = Exchange(issuer_.Sign(Claims()));
    body[member] = value;
    return Refusal(body);
  };
  EXPECT_THAT(refusal("grant_type", "password"), HasSubstr("400 unsupported_grant_type: "));
  EXPECT_THAT(refusal("subject_token_type", "saml"), HasSubstr("400 invalid_request: subject_"));
  EXPECT_THAT(refusal("audience", "acme"), HasSubstr("400 invalid_request: audience must be"));
  EXPECT_THAT(refusal("requested_token_type", "urn:pulumi:token-type:access_token:god"),
              HasSubstr("400 invalid_request: requested_token_type"));
  EXPECT_THAT(refusal("scope", "team:ops"), HasSubstr("400 invalid_scope: "));
  EXPECT_THAT(refusal("expiration", -1), HasSubstr("400 invalid_request: expiration"));
  EXPECT_THAT(refusal("subject_token", ""), HasSubstr("subject_token is missing"));
  const auto garbage = client_->Post("/api/oauth/token", "{", "application/json");
  EXPECT_EQ(garbage->status, 400);
  // RFC 6749's members and ESC's.
  EXPECT_EQ(Json(garbage)["error"], "invalid_request");
  EXPECT_EQ(Json(garbage)["code"], 400);
}

TEST_F(OauthTest, PoliciesDecide) {
  WritePolicy(
      "policies:\n- decision: allow\n  rules: {'\"kubernetes.io\".serviceaccount.name': web}\n"
      "  login: web\n  environments: [web/*]\n  permission: open\n");
  StartOidc(/*with_policy=*/true);
  folder_.Write("acme/shared/base", "values: {x: 1}");
  const std::string token = TokenFor(Claims());
  ASSERT_NE(token, "");
  EXPECT_THAT(Refusal(Exchange(issuer_.Sign(Claims("api")))),
              HasSubstr("403 access_denied: no authorization policy of the issuer allows "));
  EXPECT_EQ(GetWith(token)->status, 200);
  EXPECT_EQ(GetWith(token, "/api/esc/environments/acme/shared/base")->status, 403);
  const httplib::Headers headers = {{"Authorization", "token " + token}};
  EXPECT_EQ(client_->Post(std::string(kEnvironment) + "/open", headers)->status, 200);
  EXPECT_EQ(client_->Patch(kEnvironment, headers, "values: {}", "application/x-yaml")->status, 403);
  // Imports are opened by the same identity.
  folder_.Write("acme/web/dev",
                "imports: [shared/base]\nvalues: {u: '${context.pulumi.user.login}'}");
  const auto denied = client_->Post(std::string(kEnvironment) + "/open", headers);
  EXPECT_EQ(denied->status, 400);
  EXPECT_THAT(denied->body, HasSubstr("no permission to open environment"));
  // An edit counts at once.
  WritePolicy("policies: [{decision: deny}]");
  EXPECT_THAT(Refusal(Exchange(issuer_.Sign(Claims()))), HasSubstr("403 access_denied"));
}

TEST_F(OauthTest, ReadersSeeNoSecret) {
  WritePolicy("policies: [{decision: allow, permission: read}]");
  StartOidc(/*with_policy=*/true);
  const httplib::Headers headers = {{"Authorization", "token " + TokenFor(Claims())}};
  const std::string served = client_->Get(kEnvironment, headers)->body;
  ASSERT_THAT(served, HasSubstr("ciphertext"));
  const std::string environment = kEnvironment;
  const std::string texts = "/api/esc/environments/acme/yaml";
  const auto post = [&](const std::string& path) {
    return client_->Post(path, headers, served, "application/x-yaml")->status;
  };
  EXPECT_EQ(post(environment + "/check"), 200);
  EXPECT_EQ(post(environment + "/check?showSecrets=true"), 403);
  EXPECT_EQ(post(environment + "/open"), 403);
  // Nor by the ciphertext in a text of their own.
  EXPECT_EQ(post(texts + "/check"), 200);
  EXPECT_EQ(post(texts + "/check?showSecrets=true"), 403);
  EXPECT_EQ(post(texts + "/open"), 403);
}

TEST_F(OauthTest, ValuesDependOnTheIdentity) {
  folder_.Write("acme/web/dev", "values: {who: '${context.pulumi.user.login}'}");
  StartOidc();
  for (const char* account : {"web", "api"}) {
    const httplib::Headers headers = {{"Authorization", "token " + TokenFor(Claims(account))}};
    const auto opened = client_->Post(std::string(kEnvironment) + "/open", headers);
    ASSERT_EQ(opened->status, 200) << opened->body;
    const auto read = client_->Get(
        std::string(kEnvironment) + "/open/" + Json(opened)["id"].get<std::string>(), headers);
    EXPECT_EQ(Json(read)["properties"]["who"]["value"],
              std::string("system:serviceaccount:shop:") + account);
  }
}

TEST_F(OauthTest, KeysCanBeReplaced) {
  StartOidc();
  const FakeOidcIssuer next(FakeOidcIssuer::Algorithm::kRs256, "key-2");
  EXPECT_EQ(PostJson(Exchange(next.Sign(Claims())))->status, 400);
  WriteKeys(next);
  EXPECT_EQ(PostJson(Exchange(next.Sign(Claims())))->status, 200);
}

TEST_F(OauthTest, TokensCanBeRevoked) {
  StartOidc(/*with_policy=*/false, "static");
  const std::string web = TokenFor(Claims("web"));
  const std::string api = TokenFor(Claims("api"));
  const auto list = client_->Get("/debug/tokens");
  EXPECT_EQ(Json(list).size(), 2u);
  EXPECT_FALSE(list->body.contains(web.substr(4)));
  EXPECT_EQ(Json(client_->Delete("/debug/tokens?login=system:serviceaccount:shop:web"))["revoked"],
            1);
  EXPECT_EQ(GetWith(web)->status, 401);
  EXPECT_EQ(GetWith(api)->status, 200);
  EXPECT_EQ(GetWith("static")->status, 200);
  // The next exchange gives another one.
  EXPECT_EQ(GetWith(TokenFor(Claims("web")))->status, 200);
}

TEST_F(OauthTest, TokensOutliveTheServer) {
  WritePolicy("policies: [{decision: allow, permission: read}]");
  StartOidc(/*with_policy=*/true);
  const std::string token = TokenFor(Claims());
  const std::string revoked = TokenFor(Claims("api"));
  const std::string path = "/debug/tokens?login=system:serviceaccount:shop:api";
  ASSERT_EQ(Json(client_->Delete(path))["revoked"], 1);
  server_.reset();
  StartOidc(/*with_policy=*/true);
  EXPECT_EQ(GetWith(token)->status, 200);
  EXPECT_EQ(GetWith(token, std::string(kEnvironment) + "/decrypt")->status, 403);
  EXPECT_EQ(GetWith(revoked)->status, 401);
  clock_.Advance(7200s);
  EXPECT_EQ(GetWith(token)->status, 401);
}

TEST_F(OauthTest, WebhooksOfAnOrganizationAreForThoseWhoMaySeeAllOfIt) {
  for (const auto& [policy, status] :
       {std::pair{"policies: [{decision: allow, environments: [web/*]}]", 403},
        {"policies: [{decision: allow, permission: open}]", 403},
        {"policies: [{decision: allow}]", 200}}) {
    WritePolicy(policy);
    StartOidc(/*with_policy=*/true);
    const std::string token = TokenFor(Claims());
    EXPECT_EQ(GetWith(token, "/api/orgs/acme/hooks")->status, status) << policy;
    EXPECT_EQ(GetWith(token, "/api/orgs/globex/hooks")->status, 403);
  }
}

TEST_F(OauthTest, FaultsApplyToTheExchangeToo) {
  StartOidc();
  server_->faults().Add({.route = "/api/oauth/token", .status = 503, .times = 1});
  EXPECT_EQ(PostJson(Exchange(issuer_.Sign(Claims())))->status, 503);
  EXPECT_EQ(PostJson(Exchange(issuer_.Sign(Claims())))->status, 200);
  EXPECT_EQ(server_->counters().All().routes["POST /api/oauth/token"], 2u);
}

TEST_F(OauthTest, WithoutAnIssuerNobodyGetsAToken) {
  Start();
  EXPECT_THAT(Refusal(Exchange(issuer_.Sign(Claims()))),
              HasSubstr("400 invalid_grant: no OIDC issuer is registered"));
}

TEST_F(OauthTest, StartSaysWhatIsWrongWithTheFiles) {
  for (const auto& [jwks, policy] : {std::pair{"{}", "policies: []"}, {"", "policies: x"}}) {
    if (*jwks != '\0') {
      std::ofstream(files_.path() + "/jwks.json") << jwks;
    } else {
      WriteKeys(issuer_);
    }
    WritePolicy(policy);
    Server::Options options;
    options.definitions_dir = folder_.path();
    options.oidc = OidcOptions{.issuer = kIssuer,
                               .jwks_file = files_.path() + "/jwks.json",
                               .policy_file = files_.path() + "/policy.yaml"};
    const auto server = Server::Start(std::move(options));
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code, Code::kInvalidArgument) << server.error().message;
  }
}

}  // namespace
}  // namespace escagent::devserver
