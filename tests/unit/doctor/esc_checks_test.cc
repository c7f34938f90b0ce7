#include "agent/doctor/esc_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <map>

#include "base/unique_fd.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_esc_api.h"
#include "tests/fakes/fake_http_transport.h"

namespace escagent::doctor {
namespace {

using testing::FakeClock;
using testing::FakeEscApi;
using testing::FakeHttpTransport;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kUrl[] = "https://esc.example";

class EscChecksTest : public ::testing::Test {
 protected:
  EscAccess Access() {
    return {.transport = transport_,
            .clock = clock_,
            .environment = [this](const char* name) { return environment_[name]; },
            .reach = [this](const Host& host, std::chrono::milliseconds) -> Status {
              reached_.push_back(host.name + ":" + host.port);
              return reachable_;
            }};
  }
  Findings Backend() { return CheckBackend(std::string(kUrl) + "/api/esc", Access()); }
  Finding AnswerOf(int status) {
    FakeHttpTransport transport;
    transport.Answer("GET", "/api/user", status, "{}");
    const EscAccess access{
        .transport = transport,
        .clock = clock_,
        .environment = [](const char*) { return std::string(); },
        .reach = [](const Host&, std::chrono::milliseconds) { return Status(); }};
    return CheckBackend(kUrl, access).at(0);
  }
  static Finding Store(const Error& error) {
    FakeEscApi api;
    api.SetEnvironmentJson("acme/web/dev", "{}");
    api.Fail(FakeEscApi::Operation::kHead, error);
    return CheckStore(TheStore(), api, {});
  }
  static StoreToAsk TheStore() {
    return {.name = "SecretStore shop/app",
            .api_url = kUrl,
            .ref = {"acme", "web", "dev", ""},
            .token_place = "Secret shop/token, key t",
            .token = store::MakeAccessToken("pul-1")};
  }

  FakeClock clock_;
  FakeHttpTransport transport_;
  std::map<std::string, std::string> environment_;
  Status reachable_;
  std::vector<std::string> reached_;
};

TEST_F(EscChecksTest, ABackendThatAsksForATokenAnswers) {
  transport_.Answer("GET", "/api/user", 401, "{}", {{"Date", "Thu, 01 Jan 2026 00:00:10 GMT"}});
  const Findings found = Backend();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].check, "ESC at https://esc.example");
  EXPECT_EQ(found[0].verdict, Verdict::kOk);
  EXPECT_EQ(found[1].check, "clock");
  EXPECT_EQ(found[1].verdict, Verdict::kOk);
  EXPECT_EQ(reached_, std::vector<std::string>{"esc.example:443"});
  EXPECT_EQ(transport_.Requests().at(0).authorization, "") << "no token is needed for this";
}

TEST_F(EscChecksTest, TheNameIsNotKnown) {
  reachable_ = NotFound("the name esc.example: unknown");
  const Findings found = Backend();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].verdict, Verdict::kFailed);
  EXPECT_THAT(found[0].advice, HasSubstr("DNS"));
  EXPECT_TRUE(transport_.Requests().empty());
}

TEST_F(EscChecksTest, NobodyTakesTheConnection) {
  reachable_ = Unavailable("connect to esc.example:443: refused");
  const Findings found = Backend();
  EXPECT_EQ(found.at(0).verdict, Verdict::kFailed);
  EXPECT_THAT(found.at(0).advice, HasSubstr("HTTPS_PROXY"));
}

TEST_F(EscChecksTest, Tls) {
  transport_.AnswerError("GET", "/api/user", {Code::kUnavailable, "certificate problem", {}});
  const Findings found = Backend();
  EXPECT_EQ(found.at(0).verdict, Verdict::kFailed);
  EXPECT_THAT(found.at(0).advice, HasSubstr("--esc-ca-file"));
}

TEST_F(EscChecksTest, AProxyIsNamedWithoutItsPassword) {
  environment_["HTTPS_PROXY"] = "http://me:hunter2@proxy:3128";
  reachable_ = Unavailable("there is no other way");
  transport_.Answer("GET", "/api/user", 401, "{}");
  const Findings found = Backend();
  EXPECT_EQ(found.at(0).verdict, Verdict::kOk);
  EXPECT_EQ(found.at(1).text, "HTTPS_PROXY=http://proxy:3128");
  EXPECT_TRUE(reached_.empty()) << "the proxy makes the connection";
}

TEST_F(EscChecksTest, WhatAnswers) {
  EXPECT_EQ(AnswerOf(200).verdict, Verdict::kOk);
  EXPECT_EQ(AnswerOf(403).verdict, Verdict::kOk);
  EXPECT_EQ(AnswerOf(404).verdict, Verdict::kFailed);
  EXPECT_EQ(AnswerOf(302).verdict, Verdict::kFailed);
  EXPECT_EQ(AnswerOf(407).verdict, Verdict::kFailed);
  EXPECT_EQ(AnswerOf(503).verdict, Verdict::kFailed);
  EXPECT_EQ(AnswerOf(429).verdict, Verdict::kWarning);
}

TEST_F(EscChecksTest, Hosts) {
  const auto parse = [](const std::string& url) {
    const Result<Host> host = ParseHost(url);
    return host ? host->scheme + " " + host->name + " " + host->port : "refused";
  };
  EXPECT_EQ(parse("https://a.b"), "https a.b 443");
  EXPECT_EQ(parse("http://a.b/x:1"), "http a.b 80");
  EXPECT_EQ(parse("https://a.b:8443/api"), "https a.b 8443");
  EXPECT_EQ(parse("http://[::1]:80"), "http ::1 80");
  EXPECT_EQ(parse("http://[::1]"), "http ::1 80");
  for (const char* bad : {"", "a.b", "ftp://a.b", "https://", "https://u:p@a.b", "https://a:b"}) {
    EXPECT_EQ(parse(bad), "refused") << bad;
  }
  const Findings found = CheckBackend("ftp://x", Access());
  EXPECT_EQ(found.at(0).verdict, Verdict::kFailed);
}

TEST_F(EscChecksTest, RealConnections) {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener.Get(), any, size), 0);
  ASSERT_EQ(getsockname(listener.Get(), any, &size), 0);
  const Host host{"http", "127.0.0.1", std::to_string(ntohs(address.sin_port))};
  const Status refused = ReachHost(host, std::chrono::seconds(5));
  ASSERT_FALSE(refused) << "it does not listen yet";
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  ASSERT_EQ(listen(listener.Get(), 1), 0);
  EXPECT_TRUE(ReachHost(host, std::chrono::seconds(5)));
  // Not even a name, so no name server is asked.
  const Status unknown = ReachHost({"http", "256.0.0.1.", "80"}, std::chrono::seconds(5));
  ASSERT_FALSE(unknown);
}

TEST_F(EscChecksTest, AStoreWhoseTokenWorks) {
  FakeEscApi api;
  api.SetEnvironmentJson("acme/web/dev", "{}");
  const Finding found = CheckStore(TheStore(), api, {});
  EXPECT_EQ(found.verdict, Verdict::kOk) << found.text;
  EXPECT_EQ(api.opens(), 0) << "opening is audited, and may make credentials";
}

TEST_F(EscChecksTest, WhatIsWrongWithATokenIsToldApart) {
  const Finding invalid = Store({Code::kUnauthenticated, "HTTP 401", {}});
  EXPECT_EQ(invalid.verdict, Verdict::kFailed);
  EXPECT_THAT(invalid.text, HasSubstr("does not take the token of Secret shop/token, key t"));
  EXPECT_THAT(invalid.text, Not(HasSubstr("pul-1")));
  const Finding denied = Store({Code::kPermissionDenied, "HTTP 403", {}});
  EXPECT_EQ(denied.verdict, Verdict::kFailed);
  EXPECT_THAT(denied.advice, HasSubstr("permission"));
  const Finding missing = Store({Code::kNotFound, "HTTP 404", {}});
  EXPECT_EQ(missing.verdict, Verdict::kFailed);
  EXPECT_THAT(missing.advice, HasSubstr("organization, project and environment"));
  EXPECT_EQ(Store({Code::kResourceExhausted, "HTTP 429", {}}).verdict, Verdict::kWarning);
  EXPECT_EQ(Store({Code::kUnimplemented, "HTTP 405", {}}).verdict, Verdict::kWarning);
  EXPECT_EQ(Store({Code::kUnavailable, "HTTP 503", {}}).verdict, Verdict::kFailed);
  EXPECT_EQ(Store({Code::kCancelled, "stopped", {}}).verdict, Verdict::kSkipped);
}

TEST_F(EscChecksTest, AStoreWithoutAToken) {
  FakeEscApi api;
  StoreToAsk store = TheStore();
  store.token = MakeError(Code::kUnauthenticated, "there is no such Secret");
  EXPECT_EQ(CheckStore(store, api, {}).verdict, Verdict::kFailed);
  store.token = Unavailable("the API server is away");
  EXPECT_EQ(CheckStore(store, api, {}).verdict, Verdict::kSkipped);
  EXPECT_EQ(api.heads(), 0);
}

}  // namespace
}  // namespace escagent::doctor
