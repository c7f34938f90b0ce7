#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/curl_transport.h"
#include "base/file.h"
#include "tests/component/base/connect_proxy.h"
#include "tests/component/base/loopback_server.h"
#include "tests/component/base/test_certificate.h"

namespace escagent {
namespace {

using testing::ConnectProxy;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LoopbackServer;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using testing::TestCertificate;

// No test of this file resolves esc.example.test: whoever asks a proxy leaves that to the proxy.
constexpr const char* kHost = "esc.example.test";

class CurlTransportProxyTest : public ::testing::Test {
 protected:
  CurlTransportProxyTest() {
    for (const char* name : {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY",
                             "no_proxy", "ALL_PROXY", "all_proxy"}) {
      const char* value = std::getenv(name);
      saved_[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
      unsetenv(name);
    }
  }
  ~CurlTransportProxyTest() override {
    for (const auto& [name, value] : saved_) {
      if (value) {
        setenv(name.c_str(), value->c_str(), 1);
      } else {
        unsetenv(name.c_str());
      }
    }
  }

  static void Set(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }

  Result<HttpResponse> Get(const std::string& url, const std::string& ca_file = {}) {
    CurlTransport transport(
        {.user_agent = "test", .tls = {.ca_file = ca_file}, .allow_plain_http = true});
    HttpRequest request;
    request.url = url;
    request.credential = &token_;
    return transport.Send(request, {});
  }

 private:
  std::map<std::string, std::optional<std::string>> saved_;
  const Secret token_{std::string_view("canary-token")};
};

TEST_F(CurlTransportProxyTest, PlainHttpGoesThroughHttpProxy) {
  for (const char* name : {"HTTP_PROXY", "http_proxy"}) {
    const ConnectProxy proxy(0);
    Set(name, proxy.Url());
    const Result<HttpResponse> response = Get("http://" + std::string(kHost) + "/a");
    unsetenv(name);
    ASSERT_TRUE(response) << name << ": " << response.error().message;
    EXPECT_EQ(response->body.Reveal(), "via proxy");
    ASSERT_THAT(proxy.Heads(), SizeIs(1));
    EXPECT_THAT(proxy.Heads()[0], StartsWith("GET http://esc.example.test/a HTTP/1.1\r\n"));
  }
}

TEST_F(CurlTransportProxyTest, HttpsGoesThroughATunnelThatShowsNothing) {
  const TestCertificate authority = TestCertificate::Authority("test authority");
  const std::string ca_file = ::testing::TempDir() + "proxy_test_ca." + std::to_string(getpid());
  ASSERT_TRUE(WriteFileAtomically(ca_file, authority.Pem()));
  const LoopbackServer server(
      TestCertificate::Server(authority, "DNS:" + std::string(kHost)), [](httplib::Server& http) {
        http.Get("/a", [](const httplib::Request& request, httplib::Response& response) {
          response.set_content(request.get_header_value("Authorization"), "text/plain");
        });
      });
  for (const char* name : {"HTTPS_PROXY", "https_proxy"}) {
    const ConnectProxy proxy(server.port());
    Set(name, proxy.Url());
    const Result<HttpResponse> response = Get("https://" + std::string(kHost) + "/a", ca_file);
    unsetenv(name);
    ASSERT_TRUE(response) << name << ": " << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body.Reveal(), "token canary-token");
    EXPECT_EQ(response->Header("X-Proxy"), "") << "the proxy's headers are not the answer's";
    ASSERT_THAT(proxy.Heads(), SizeIs(1));
    EXPECT_THAT(proxy.Heads()[0], StartsWith("CONNECT esc.example.test:443 HTTP/1.1\r\n"));
    EXPECT_THAT(proxy.Heads()[0], Not(HasSubstr("canary")));
  }
  std::filesystem::remove(ca_file);
}

TEST_F(CurlTransportProxyTest, AProxyThatRefusesIsUnavailable) {
  const ConnectProxy proxy(0);
  Set("HTTPS_PROXY", proxy.Url());
  const Result<HttpResponse> response = Get("https://" + std::string(kHost) + "/a?q=canary-query");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kUnavailable);
  EXPECT_THAT(response.error().message, HasSubstr("GET https://esc.example.test/a: "));
  EXPECT_THAT(response.error().message, Not(HasSubstr("canary")));
}

TEST_F(CurlTransportProxyTest, ProxyCredentialsStayOutOfErrors) {
  const ConnectProxy proxy(0);
  std::string url = proxy.Url();
  url.insert(std::string("http://").size(), "user:canary-password@");
  Set("HTTPS_PROXY", url);
  const Result<HttpResponse> response = Get("https://" + std::string(kHost) + "/a");
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().message, Not(HasSubstr("canary")));
  // Nobody listens at the proxy's address.
  Set("HTTPS_PROXY", "http://user:canary-password@127.0.0.1:1");
  const Result<HttpResponse> unreachable = Get("https://" + std::string(kHost) + "/a");
  ASSERT_FALSE(unreachable);
  EXPECT_EQ(unreachable.error().code, Code::kUnavailable);
  EXPECT_THAT(unreachable.error().message, Not(HasSubstr("canary")));
}

TEST_F(CurlTransportProxyTest, NoProxyIsHonoured) {
  const ConnectProxy proxy(0);
  Set("HTTP_PROXY", proxy.Url());
  Set("HTTPS_PROXY", proxy.Url());
  // An address that is routed nowhere (RFC 5737): the answer does not matter, only who was asked.
  Set("NO_PROXY", "192.0.2.1");
  CurlTransport transport({.user_agent = "test", .allow_plain_http = true});
  HttpRequest request;
  request.total_timeout = std::chrono::milliseconds(200);
  for (const std::string url : {"http://192.0.2.1/", "https://192.0.2.1/"}) {
    request.url = url;
    EXPECT_FALSE(transport.Send(request, {}));
  }
  EXPECT_THAT(proxy.Heads(), IsEmpty());
}

TEST_F(CurlTransportProxyTest, LoopbackIsNeverProxied) {
  const LoopbackServer server([](httplib::Server& http) {
    http.Get("/a", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("direct", "text/plain");
    });
  });
  const ConnectProxy proxy(0);
  for (const char* name : {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"}) {
    Set(name, proxy.Url());
  }
  const Result<HttpResponse> response = Get(server.Url("/a"));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body.Reveal(), "direct");
  EXPECT_THAT(proxy.Heads(), IsEmpty());
}

TEST_F(CurlTransportProxyTest, AllowedPlainHttpNeedsNoProxy) {
  // Not loopback by name, so only allow_plain_http lets it pass; nobody answers there.
  const Result<HttpResponse> response = [] {
    CurlTransport transport({.user_agent = "test", .allow_plain_http = true});
    HttpRequest request;
    request.url = "http://192.0.2.1/";
    request.total_timeout = std::chrono::milliseconds(200);
    return transport.Send(request, {});
  }();
  ASSERT_FALSE(response);
  EXPECT_NE(response.error().code, Code::kInvalidArgument) << response.error().message;
}

}  // namespace
}  // namespace escagent
