#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/curl_transport.h"
#include "base/file.h"
#include "tests/component/base/loopback_server.h"
#include "tests/component/base/test_certificate.h"

namespace escagent {
namespace {

using ::testing::ElementsAre;
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

// TlsOptions beyond the CA.
class CurlTransportTlsOptionsTest : public CurlTransportTlsTest {
 protected:
  CurlTransportTlsOptionsTest() { tls_.ca_pem = authority_.Pem(); }

  Result<HttpResponse> GetOnce(const LoopbackServer& server) {
    CurlTransport transport({.user_agent = "test", .tls = tls_});
    return Get(transport, server);
  }
  void Identify(const TestCertificate& client) {
    tls_.certificate_pem = client.Pem();
    tls_.key_pem = std::make_shared<const Secret>(client.KeyPem());
  }
  void WriteIdentity(const TestCertificate& client) {
    tls_.certificate_file = folder_ + "/client.pem";
    tls_.key_file = folder_ + "/client.key";
    EXPECT_TRUE(WriteFileAtomically(tls_.certificate_file, client.Pem()));
    EXPECT_TRUE(WriteFileAtomically(tls_.key_file, client.KeyPem()));
  }

  TlsOptions tls_;
  const TestCertificate certificate_ = TestCertificate::Server(authority_, "IP:127.0.0.1");
  const TestCertificate alice_ = TestCertificate::Client(authority_, "alice");
  const TestCertificate bob_ = TestCertificate::Client(authority_, "bob");
};

TEST_F(CurlTransportTlsOptionsTest, AuthorityAsText) {
  const LoopbackServer server(certificate_, ServeFine);
  EXPECT_TRUE(GetOnce(server));
  tls_.ca_file = folder_ + "/missing.pem";
  EXPECT_TRUE(GetOnce(server)) << "the text wins";
  tls_.ca_pem = TestCertificate::Authority("other authority").Pem();
  const Result<HttpResponse> other = GetOnce(server);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("certificate"));
  tls_.ca_pem = "not a certificate";
  EXPECT_FALSE(GetOnce(server));
}

TEST_F(CurlTransportTlsOptionsTest, ClientCertificateAsText) {
  const LoopbackServer server(certificate_, ServeFine, &authority_);
  Identify(alice_);
  const Result<HttpResponse> response = GetOnce(server);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_THAT(server.Clients(), ElementsAre("alice"));
}

TEST_F(CurlTransportTlsOptionsTest, ClientCertificateFromFilesThatRotate) {
  // One request a connection: each reads the files again.
  const LoopbackServer server(
      certificate_,
      [](httplib::Server& http) {
        ServeFine(http);
        http.set_keep_alive_max_count(1);
      },
      &authority_);
  WriteIdentity(alice_);
  CurlTransport transport({.user_agent = "test", .tls = tls_});
  EXPECT_TRUE(Get(transport, server));
  WriteIdentity(bob_);
  EXPECT_TRUE(Get(transport, server));
  EXPECT_THAT(server.Clients(), ElementsAre("alice", "bob"));
}

TEST_F(CurlTransportTlsOptionsTest, AuthorityFileThatRotates) {
  const LoopbackServer server(certificate_, [](httplib::Server& http) {
    ServeFine(http);
    http.set_keep_alive_max_count(1);
  });
  tls_ = {.ca_file = folder_ + "/ca.pem"};
  ASSERT_TRUE(WriteFileAtomically(tls_.ca_file, TestCertificate::Authority("old").Pem()));
  CurlTransport transport({.user_agent = "test", .tls = tls_});
  EXPECT_FALSE(Get(transport, server));
  ASSERT_TRUE(WriteFileAtomically(tls_.ca_file, authority_.Pem()));
  EXPECT_TRUE(Get(transport, server));
  ASSERT_TRUE(WriteFileAtomically(tls_.ca_file, TestCertificate::Authority("new").Pem()));
  EXPECT_FALSE(Get(transport, server)) << "not a resumed session of the trusted time";
}

TEST_F(CurlTransportTlsOptionsTest, WithoutAClientCertificate) {
  const LoopbackServer server(certificate_, ServeFine, &authority_);
  const Result<HttpResponse> response = GetOnce(server);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kUnavailable);
  EXPECT_EQ(server.Requests(), 0U);
}

TEST_F(CurlTransportTlsOptionsTest, ClientCertificateOfAnotherAuthority) {
  const LoopbackServer server(certificate_, ServeFine, &authority_);
  Identify(TestCertificate::Client(TestCertificate::Authority("other authority"), "mallory"));
  EXPECT_FALSE(GetOnce(server));
  EXPECT_EQ(server.Requests(), 0U);
}

TEST_F(CurlTransportTlsOptionsTest, KeyOfAnotherCertificateOrNone) {
  const LoopbackServer server(certificate_, ServeFine, &authority_);
  Identify(alice_);
  tls_.key_pem = std::make_shared<const Secret>(bob_.KeyPem());
  EXPECT_FALSE(GetOnce(server));
  tls_.key_pem = std::make_shared<const Secret>(std::string_view("canary-key"));
  const Result<HttpResponse> response = GetOnce(server);
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().message, Not(HasSubstr("canary")));
  WriteIdentity(alice_);
  tls_.certificate_pem.clear();
  tls_.key_pem = nullptr;
  tls_.key_file = folder_ + "/missing.key";
  const Result<HttpResponse> missing = GetOnce(server);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("missing.key"));
}

TEST_F(CurlTransportTlsOptionsTest, ServerName) {
  std::string host;
  const LoopbackServer server(
      TestCertificate::Server(authority_, "DNS:kubernetes.default"),
      [&host](httplib::Server& http) {
        http.Get("/a", [&host](const httplib::Request& request, httplib::Response&) {
          host = request.get_header_value("Host");
        });
      });
  EXPECT_FALSE(GetOnce(server));
  tls_.server_name = "other.default";
  EXPECT_FALSE(GetOnce(server));
  EXPECT_EQ(server.Requests(), 0U);
  tls_.server_name = "kubernetes.default";
  const Result<HttpResponse> response = GetOnce(server);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(host, "127.0.0.1:" + std::to_string(server.port()));
}

TEST_F(CurlTransportTlsOptionsTest, InsecureTakesAnyServer) {
  const LoopbackServer server(TestCertificate::Server(authority_, "DNS:elsewhere", -1), ServeFine);
  tls_ = {.insecure = true};
  EXPECT_TRUE(GetOnce(server));
}

}  // namespace
}  // namespace escagent
