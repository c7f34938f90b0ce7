#include "esc/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "esc/property_path.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"

namespace escagent::esc {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kEnvironment = "/api/esc/environments/acme/web/dev";

class ClientTest : public ::testing::Test {
 protected:
  static Client::Options OptionsFor(std::string url) {
    Client::Options options;
    options.api_url = std::move(url);
    options.token = std::make_shared<const Secret>(std::string_view("pul-0123456789"));
    options.total_timeout = seconds(4);
    return options;
  }

  std::string Path(std::string_view rest) const { return std::string(kEnvironment).append(rest); }
  escagent::testing::FakeHttpTransport::Recorded LastRequest() const {
    return transport_.Requests().back();
  }

  const EnvironmentRef ref_{"acme", "web", "dev", ""};
  const EnvironmentRef pinned_{"acme", "web", "dev", "3"};
  const EnvironmentRef tagged_{"acme", "web", "dev", "stable"};
  escagent::testing::FakeHttpTransport transport_;
  escagent::testing::FakeClock clock_;
  Client client_{OptionsFor("https://esc.test/api/esc"), transport_, clock_};
};

TEST_F(ClientTest, OpenSendsWhatEscWants) {
  transport_.Answer("POST", Path("/open"), 200, R"({"id":"a/b?","diagnostics":[]})");
  const Result<OpenSession> session = client_.Open(ref_, seconds(7200), {});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->id, "a/b?");
  EXPECT_TRUE(session->warnings.empty());
  const auto request = LastRequest();
  EXPECT_EQ(request.url, "https://esc.test/api/esc/environments/acme/web/dev/open?duration=2h0m0s");
  EXPECT_EQ(request.authorization, "token pul-0123456789");
  EXPECT_EQ(request.body, "");
  EXPECT_EQ(request.total_timeout, seconds(4));
  ASSERT_EQ(request.headers.size(), 1U);
  EXPECT_EQ(request.headers[0].name, "Accept");
  EXPECT_EQ(request.headers[0].value, "application/vnd.pulumi+8");
}

TEST_F(ClientTest, ApiUrlMayBeShortOrHaveSlashes) {
  for (const std::string url : {"https://esc.test", "https://esc.test/", "https://esc.test/api/esc",
                                "https://esc.test/api/esc//"}) {
    transport_.Answer("HEAD", kEnvironment, 200, "", {{"ETag", "e"}});
    Client client(OptionsFor(url), transport_, clock_);
    EXPECT_TRUE(client.Head(ref_, {})) << url;
    EXPECT_EQ(LastRequest().url, "https://esc.test/api/esc/environments/acme/web/dev") << url;
  }
}

TEST_F(ClientTest, OpenReadsTheSessionIdInEveryShape) {
  struct Case {
    std::string body;
    std::string id;
  };
  const Case cases[] = {
      {R"({"id":"42562"})", "42562"},
      {R"({"id":1234567})", "1234567"},
      {R"({"id":18446744073709551615,"new":1})", "18446744073709551615"},
  };
  for (const Case& c : cases) {
    escagent::testing::FakeHttpTransport transport;
    transport.Answer("POST", Path("/open"), 200, c.body);
    Client client(OptionsFor("https://esc.test"), transport, clock_);
    const Result<OpenSession> session = client.Open(ref_, seconds(60), {});
    ASSERT_TRUE(session) << c.body;
    EXPECT_EQ(session->id, c.id);
  }
}

TEST_F(ClientTest, OpenGivesWarnings) {
  transport_.Answer("POST", Path("/open"), 200,
                    R"({"id":1,"diagnostics":[{"summary":"old","severity":"warning"}]})");
  const Result<OpenSession> session = client_.Open(ref_, seconds(60), {});
  ASSERT_TRUE(session);
  ASSERT_EQ(session->warnings.size(), 1U);
  EXPECT_EQ(session->warnings[0].ToString(), "old");
}

TEST_F(ClientTest, AnswersThatMakeNoSenseAreUnavailable) {
  for (const std::string body :
       {"", "<html>canary</html>", R"({"id":"canary")", R"({"id":null})", R"({"id":""})",
        R"({"id":1.5})", R"({"id":["canary"]})", "[]", R"({"ID":"canary"})", "null"}) {
    escagent::testing::FakeHttpTransport transport;
    transport.Answer("POST", Path("/open"), 200, body);
    Client client(OptionsFor("https://esc.test"), transport, clock_);
    const Result<OpenSession> session = client.Open(ref_, seconds(60), {});
    ASSERT_FALSE(session) << body;
    EXPECT_EQ(session.error().code, Code::kUnavailable) << body;
    EXPECT_THAT(session.error().message,
                AllOf(HasSubstr("open environment acme/web/dev: the answer is not"),
                      Not(HasSubstr("canary"))));
  }
}

TEST_F(ClientTest, VersionIsInThePathOfOpenButNotOfTheSession) {
  transport_.Answer("POST", Path("/versions/3/open"), 200, R"({"id":7})");
  transport_.Answer("GET", Path("/open/7"), 200, R"({"properties":{"a":{"value":"x"}}})");
  ASSERT_TRUE(client_.Open(pinned_, seconds(60), {}));
  EXPECT_EQ(LastRequest().query, "duration=1m0s");
  const Result<Value> value = client_.ReadSession(pinned_, "7", {});
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(value->Find("a")->ScalarText(), "x");
}

TEST_F(ClientTest, ReadSessionErrors) {
  transport_.Answer("GET", Path("/open/gone"), 404, R"({"message":"session not found"})");
  transport_.Answer("GET", Path("/open/cut"), 200, R"({"properties":{"a":{"value":"canary")");
  transport_.Answer("GET", Path("/open/other"), 200, R"({"canary":1})");
  transport_.AnswerError("GET", Path("/open/down"), Error{Code::kUnavailable, "no connection", {}});
  struct Case {
    std::string session;
    Code code;
    std::string message;
  };
  const Case cases[] = {
      {"gone", Code::kAborted, "session not found"},
      {"cut", Code::kUnavailable, "invalid JSON at byte"},
      {"other", Code::kUnavailable, "none of an environment's members"},
      {"down", Code::kUnavailable, "read environment acme/web/dev: no connection"},
  };
  for (const Case& c : cases) {
    const Result<Value> value = client_.ReadSession(ref_, c.session, {});
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code, c.code) << c.session;
    EXPECT_THAT(value.error().message, AllOf(HasSubstr(c.message), Not(HasSubstr("canary"))));
  }
}

TEST_F(ClientTest, ReadPropertyEncodesThePath) {
  transport_.Answer("GET", Path("/open/a%2Fb"), 200, R"({"value":1.10,"trace":{}})");
  const Result<Value> value = client_.ReadProperty(ref_, "a/b", R"(app["x y"][0])", {});
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(value->ScalarText(), "1.10");
  EXPECT_EQ(LastRequest().query, "property=app%5B%22x%20y%22%5D%5B0%5D");
  transport_.Answer("GET", Path("/open/gone"), 404, "");
  EXPECT_EQ(client_.ReadProperty(ref_, "gone", "app", {}).error().code, Code::kNotFound);
}

TEST_F(ClientTest, HeadGivesETagAndRevision) {
  transport_.Answer("HEAD", kEnvironment, 200, "",
                    {{"etag", "\"abc\""}, {"pulumi-esc-revision", "12"}});
  for (const std::string version : {"", "latest"}) {
    const Result<EnvironmentHead> head = client_.Head({"acme", "web", "dev", version}, {});
    ASSERT_TRUE(head);
    EXPECT_EQ(head->etag, "\"abc\"");
    EXPECT_EQ(head->revision, "12");
  }
}

TEST_F(ClientTest, HeadWithoutAnythingToCompareIsUnimplemented) {
  transport_.Answer("HEAD", kEnvironment, 200, "");
  EXPECT_EQ(client_.Head(ref_, {}).error().code, Code::kUnimplemented);
}

TEST_F(ClientTest, HeadFailures) {
  struct Case {
    int status;
    Code code;
  };
  const Case cases[] = {{405, Code::kUnimplemented},   {501, Code::kUnimplemented},
                        {401, Code::kUnauthenticated}, {403, Code::kPermissionDenied},
                        {404, Code::kNotFound},        {503, Code::kUnavailable}};
  for (const Case& c : cases) {
    for (const EnvironmentRef& ref : {ref_, pinned_}) {
      escagent::testing::FakeHttpTransport transport;
      transport.Answer("HEAD", kEnvironment, c.status, "");
      Client client(OptionsFor("https://esc.test"), transport, clock_);
      EXPECT_EQ(client.Head(ref, {}).error().code, c.code) << c.status;
    }
  }
}

TEST_F(ClientTest, HeadOfARevisionNeverChanges) {
  transport_.Answer("HEAD", kEnvironment, 200, "",
                    {{"ETag", "one"}, {"Pulumi-ESC-Revision", "12"}});
  transport_.Answer("HEAD", kEnvironment, 200, "",
                    {{"ETag", "two"}, {"Pulumi-ESC-Revision", "13"}});
  for (int i = 0; i < 2; ++i) {
    const Result<EnvironmentHead> head = client_.Head(pinned_, {});
    ASSERT_TRUE(head);
    EXPECT_EQ(head->etag, "");
    EXPECT_EQ(head->revision, "3");
  }
}

TEST_F(ClientTest, HeadOfATagFollowsTheTag) {
  transport_.Answer("GET", Path("/versions/tags/stable"), 200, R"({"name":"stable","revision":4})");
  transport_.Answer("GET", Path("/versions/tags/stable"), 200, R"({"name":"stable","revision":5})");
  transport_.Answer("GET", Path("/versions/tags/stable"), 200, R"({"name":"stable"})");
  EXPECT_EQ(client_.Head(tagged_, {})->revision, "4");
  EXPECT_EQ(client_.Head(tagged_, {})->revision, "5");
  EXPECT_EQ(client_.Head(tagged_, {}).error().code, Code::kUnavailable);
}

TEST_F(ClientTest, GetDefinition) {
  const std::vector<HttpHeader> headers = {{"ETag", "e"}, {"Pulumi-ESC-Revision", "3"}};
  transport_.Answer("GET", kEnvironment, 200, "values: {}\n", headers);
  transport_.Answer("GET", Path("/versions/3"), 200, "values: {a: 1}\n", headers);
  EXPECT_EQ(client_.GetDefinition(ref_, {})->yaml.Reveal(), "values: {}\n");
  const Result<Definition> definition = client_.GetDefinition(pinned_, {});
  ASSERT_TRUE(definition);
  EXPECT_EQ(definition->yaml.Reveal(), "values: {a: 1}\n");
  EXPECT_EQ(definition->etag, "e");
  EXPECT_EQ(definition->revision, "3");
  EXPECT_EQ(client_.GetDefinition(tagged_, {}).error().code, Code::kUnavailable);
}

TEST_F(ClientTest, GetDecryptedDefinition) {
  transport_.Answer("GET", Path("/decrypt"), 200, "values: {fn::secret: x}\n",
                    {{"ETag", "e"}, {"Pulumi-ESC-Revision", "3"}});
  const Result<Definition> definition = client_.GetDecryptedDefinition(ref_, {});
  ASSERT_TRUE(definition);
  EXPECT_EQ(definition->yaml.Reveal(), "values: {fn::secret: x}\n");
  EXPECT_EQ(definition->etag, "e");
  transport_.Answer("GET", Path("/versions/3/decrypt"), 403, "");
  EXPECT_EQ(client_.GetDecryptedDefinition(pinned_, {}).error().code, Code::kPermissionDenied);
}

TEST_F(ClientTest, UpdateSendsTheEtagThatItReplaces) {
  transport_.Answer("PATCH", kEnvironment, 200, R"({"diagnostics":[{"summary":"w"}]})",
                    {{"ETag", "e2"}, {"Pulumi-ESC-Revision", "4"}});
  const Result<DefinitionUpdate> update =
      client_.UpdateDefinition(ref_, Secret(std::string_view("values: {}\n")), "\"e1\"", {});
  ASSERT_TRUE(update) << update.error().message;
  EXPECT_EQ(update->etag, "e2");
  EXPECT_EQ(update->revision, "4");
  ASSERT_EQ(update->warnings.size(), 1U);
  EXPECT_EQ(update->warnings[0].summary, "w");
  const auto request = LastRequest();
  EXPECT_EQ(request.body, "values: {}\n");
  ASSERT_EQ(request.headers.size(), 2U);
  EXPECT_EQ(request.headers[1].name, "ETag");
  EXPECT_EQ(request.headers[1].value, "\"e1\"");
  // Saved is saved, with an empty answer too.
  transport_.Answer("PATCH", kEnvironment, 200, "");
  EXPECT_TRUE(client_.UpdateDefinition(ref_, Secret(), "e", {}));
}

TEST_F(ClientTest, UpdateFailures) {
  const Secret yaml(std::string_view("values: {a: {fn::secret: hunter2}}"));
  const auto update = [&](std::string_view etag, const EnvironmentRef& ref) {
    return client_.UpdateDefinition(ref, yaml, etag, {}).error();
  };
  EXPECT_EQ(update("", ref_).code, Code::kInvalidArgument);
  EXPECT_EQ(update("e", pinned_).code, Code::kInvalidArgument);
  EXPECT_TRUE(transport_.Requests().empty());
  transport_.Answer("PATCH", kEnvironment, 409, R"({"code":409,"message":"conflict"})");
  EXPECT_EQ(update("e", ref_).code, Code::kAborted);
  EXPECT_THAT(update("e", ref_).message, HasSubstr("read it again"));
  transport_.Answer("PATCH", kEnvironment, 400,
                    R"({"diagnostics":[{"summary":"unknown property \"x\""}]})");
  (void)update("e", ref_);
  const Error refused = update("e", ref_);
  EXPECT_EQ(refused.code, Code::kInvalidArgument);
  EXPECT_THAT(refused.message, AllOf(HasSubstr("update the definition of environment acme/web/dev"),
                                     HasSubstr("unknown property"), Not(HasSubstr("hunter2"))));
}

TEST_F(ClientTest, CheckYaml) {
  struct Case {
    int status;
    std::string body;
    Code code;
    std::string summary;  // of the first diagnostic
  };
  const Case cases[] = {
      {200, R"({"properties":{"a":{"value":1}}})", Code::kOk, ""},
      {200, R"({"properties":{"a":{"value":1}},"diagnostics":[{"summary":"odd"}]})", Code::kOk,
       "odd"},
      {200, R"({"diagnostics":[{"summary":"bad"}]})", Code::kOk, "bad"},
      {400, R"({"code":400,"message":"m","diagnostics":[{"summary":"bad"}]})", Code::kOk, "bad"},
      {400, R"({"code":400,"message":"m"})", Code::kInvalidArgument, ""},
      {400, "no JSON", Code::kInvalidArgument, ""},
      {200, "no JSON", Code::kUnavailable, ""},
      {200, R"({"properties":{"a":1}})", Code::kUnavailable, ""},
      {401, R"({"diagnostics":[{"summary":"bad"}]})", Code::kUnauthenticated, ""},
  };
  for (const Case& c : cases) {
    escagent::testing::FakeHttpTransport transport;
    transport.Answer("POST", "/api/esc/environments/acme/yaml/check", c.status, c.body);
    Client client(OptionsFor("https://esc.test"), transport, clock_);
    const Result<CheckResult> result =
        client.CheckYaml("acme", Secret(std::string_view("values: {}")), {});
    EXPECT_EQ(transport.Requests().back().body, "values: {}");
    EXPECT_EQ(transport.Requests().back().content_type, "application/x-yaml");
    ASSERT_EQ(result ? Code::kOk : result.error().code, c.code) << c.body;
    if (!result) continue;
    EXPECT_EQ(result->diagnostics.empty() ? "" : result->diagnostics[0].summary, c.summary);
    EXPECT_EQ(result->properties.kind(), Value::Kind::kObject);
  }
}

TEST_F(ClientTest, HonoursStop) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(client_.Open(ref_, seconds(60), stop.get_token()).error().code, Code::kCancelled);
  EXPECT_EQ(client_.Head(ref_, stop.get_token()).error().code, Code::kCancelled);
  EXPECT_TRUE(transport_.Requests().empty());
}

TEST_F(ClientTest, NoErrorHoldsTheToken) {
  for (const int status : {400, 401, 403, 404, 429, 500}) {
    escagent::testing::FakeHttpTransport transport;
    transport.Answer("POST", Path("/open"), status, R"({"message":"token pul-0123456789 is bad"})");
    Client client(OptionsFor("https://esc.test"), transport, clock_);
    EXPECT_THAT(client.Open(ref_, seconds(60), {}).error().message, Not(HasSubstr("pul-0123")));
  }
}

}  // namespace
}  // namespace escagent::esc
