#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/curl_transport.h"
#include "base/file.h"
#include "tests/component/base/loopback_server.h"
#include "tests/component/base/test_certificate.h"

namespace escagent {
namespace {

using ::testing::HasSubstr;
using testing::LoopbackServer;
using ::testing::Not;
using testing::TestCertificate;

void ServeFine(httplib::Server& server) {
  server.Get("/a", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("fine", "text/plain");
  });
}

class CurlTransportTlsTest : public ::testing::Test {
 protected:
  CurlTransportTlsTest() {
    std::string pattern = ::testing::TempDir() + "tls_test.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~CurlTransportTlsTest() override { std::filesystem::remove_all(folder_); }

  // A transport that trusts only this authority.
  CurlTransport Trusting(const TestCertificate& authority) {
    const std::string path = folder_ + "/ca.pem";
    EXPECT_TRUE(WriteFileAtomically(path, authority.Pem()));
    return CurlTransport({.user_agent = "test", .tls = {.ca_file = path}});
  }

  Result<HttpResponse> Get(CurlTransport& transport, const LoopbackServer& server) {
    HttpRequest request;
    request.url = server.Url("/a?q=canary-query");
    request.credential = &token_;
    return transport.Send(request, {});
  }

  void ExpectRefused(CurlTransport& transport, const LoopbackServer& server) {
    const Result<HttpResponse> response = Get(transport, server);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Code::kUnavailable);
    EXPECT_THAT(response.error().message, HasSubstr("certificate"));
    EXPECT_THAT(response.error().message, HasSubstr("GET " + server.Url("/a:")));
    EXPECT_THAT(response.error().message, Not(HasSubstr("canary")));
    EXPECT_EQ(server.Requests(), 0U);
  }

  std::string folder_;
  const Secret token_{std::string_view("canary-token")};
  const TestCertificate authority_ = TestCertificate::Authority("test authority");
};

TEST_F(CurlTransportTlsTest, PrivateAuthorityIsTrusted) {
  const LoopbackServer server(TestCertificate::Server(authority_, "IP:127.0.0.1"), ServeFine);
  CurlTransport transport = Trusting(authority_);
  for (int i = 0; i < 10; ++i) {
    const Result<HttpResponse> response = Get(transport, server);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body.Reveal(), "fine");
  }
  EXPECT_EQ(server.Connections(), 1U) << "one handshake";
}

TEST_F(CurlTransportTlsTest, OtherAuthorityIsRefused) {
  const LoopbackServer server(TestCertificate::Server(authority_, "IP:127.0.0.1"), ServeFine);
  CurlTransport other = Trusting(TestCertificate::Authority("other authority"));
  ExpectRefused(other, server);
}

TEST_F(CurlTransportTlsTest, PrivateAuthorityIsNotTrustedByDefault) {
  const LoopbackServer server(TestCertificate::Server(authority_, "IP:127.0.0.1"), ServeFine);
  CurlTransport by_default({.user_agent = "test"});
  ExpectRefused(by_default, server);
}

TEST_F(CurlTransportTlsTest, OtherNameIsRefused) {
  const LoopbackServer server(TestCertificate::Server(authority_, "DNS:esc.example.test"),
                              ServeFine);
  CurlTransport transport = Trusting(authority_);
  ExpectRefused(transport, server);
}

TEST_F(CurlTransportTlsTest, ExpiredCertificateIsRefused) {
  const LoopbackServer server(TestCertificate::Server(authority_, "IP:127.0.0.1", -1), ServeFine);
  CurlTransport transport = Trusting(authority_);
  ExpectRefused(transport, server);
}

TEST_F(CurlTransportTlsTest, AMissingAuthorityFileIsNamed) {
  const LoopbackServer server(TestCertificate::Server(authority_, "IP:127.0.0.1"), ServeFine);
  CurlTransport transport({.user_agent = "test", .tls = {.ca_file = folder_ + "/missing.pem"}});
  const Result<HttpResponse> response = Get(transport, server);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kUnavailable);
  EXPECT_THAT(response.error().message, HasSubstr(folder_ + "/missing.pem"));
}

TEST_F(CurlTransportTlsTest, PlainServerOnAnHttpsUrl) {
  const LoopbackServer server(ServeFine);
  CurlTransport transport = Trusting(authority_);
  HttpRequest request;
  request.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/a";
  const Result<HttpResponse> response = transport.Send(request, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace escagent
