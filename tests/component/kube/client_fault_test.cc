#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/curl_transport.h"
#include "kube/client.h"
#include "tests/fakes/apiserver/api_server.h"
#include "tests/unit/kube/temp_folder.h"

namespace escagent::kube {
namespace {

using apiserver::ApiServer;
using apiserver::Fault;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

Object SecretNamed(const std::string& name) {
  return Object(nlohmann::json{{"metadata", {{"name", name}, {"namespace", "podinfo"}}},
                               {"data", {{"a", "aHVzaA=="}}}});
}

// A client over TLS, with a client certificate, as its kubeconfig says.
class ClientFaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ApiServer::Options options;
    options.tls = true;
    Result<std::unique_ptr<ApiServer>> server = ApiServer::Start(options);
    ASSERT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
    ASSERT_TRUE(
        server_->Load("{apiVersion: v1, kind: Namespace, metadata: {name: podinfo}}", "ns"));
    Connect(server_->Kubeconfig(), {});
  }

  void Connect(const std::string& kubeconfig, const Client::Options& options) {
    const Result<Config> config = LoadKubeconfig(folder_.Write("kubeconfig", kubeconfig));
    ASSERT_TRUE(config) << config.error().message;
    client_.reset();
    connection_ = std::make_unique<Connection>(*config, clock_);
    transport_ = std::make_unique<CurlTransport>(
        CurlOptions{.user_agent = "esc-agent-test", .tls = config->tls});
    client_ = std::make_unique<Client>(options, *connection_, *transport_, clock_);
  }

  Error GetError(const CallOptions& options = {}) {
    const Result<Object> object = client_->Get(Secrets(), key_, options);
    EXPECT_FALSE(object);
    return object ? Error() : object.error();
  }

  const ObjectKey key_{"podinfo", "app"};
  const TempFolder folder_;
  SystemClock clock_;
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<CurlTransport> transport_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientFaultTest, TheClientCertificateSaysWhoWeAre) {
  ASSERT_TRUE(client_->Create(Secrets(), SecretNamed("app"), {}));
  const std::vector<apiserver::RequestLog::Entry> log = server_->log().Entries();
  ASSERT_FALSE(log.empty());
  EXPECT_EQ(log.back().method, "POST");
  EXPECT_EQ(log.back().status, 201);
  EXPECT_THAT(log.back().user, Not(AnyOf("", "system:anonymous")));
  EXPECT_THAT(server_->Kubeconfig(), HasSubstr("client-certificate-data"));
}

TEST_F(ClientFaultTest, AnotherServersCaIsNotTrusted) {
  ApiServer::Options options;
  options.tls = true;
  const Result<std::unique_ptr<ApiServer>> other = ApiServer::Start(options);
  ASSERT_TRUE(other);
  std::string kubeconfig = (*other)->Kubeconfig();
  const std::size_t at = kubeconfig.find((*other)->url());
  ASSERT_NE(at, std::string::npos);
  kubeconfig.replace(at, (*other)->url().size(), server_->url());
  Connect(kubeconfig, {});
  const Error error = GetError();
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("get Secret podinfo/app"));
}

TEST_F(ClientFaultTest, ATokenThatIsRevokedIsUnauthenticated) {
  server_->AddToken("t0ken-hush", {.name = "dev"});
  Connect(server_->KubeconfigFor("t0ken-hush", "podinfo"), {});
  ASSERT_TRUE(client_->Create(Secrets(), SecretNamed("app"), {}));
  server_->RevokeToken("t0ken-hush");
  const Error error = GetError();
  EXPECT_EQ(error.code, Code::kUnauthenticated);
  EXPECT_THAT(error.message, Not(HasSubstr("hush")));
}

TEST_F(ClientFaultTest, ATokenFileThatRotatesIsUsedAtOnce) {
  server_->AddToken("first", {.name = "dev"});
  std::string kubeconfig = server_->KubeconfigFor("first", "podinfo");
  const std::size_t at = kubeconfig.find("token: ");
  ASSERT_NE(at, std::string::npos);
  kubeconfig.replace(at, kubeconfig.find('\n', at) - at,
                     "tokenFile: " + folder_.Write("token", "first"));
  Connect(kubeconfig, {});
  ASSERT_TRUE(client_->Create(Secrets(), SecretNamed("app"), {}));
  server_->RevokeToken("first");
  server_->AddToken("second", {.name = "dev"});
  folder_.Write("token", "second");
  EXPECT_TRUE(client_->Get(Secrets(), key_, {})) << "within the second between two looks";
}

TEST_F(ClientFaultTest, StatusCodes) {
  struct Case {
    int status;
    Code code;
  };
  for (const auto& [status, code] :
       {Case{409, Code::kAborted}, Case{410, Code::kFailedPrecondition},
        Case{500, Code::kUnavailable}, Case{504, Code::kDeadlineExceeded}}) {
    server_->faults().Add({.resource = "secrets", .status = status, .times = 1});
    EXPECT_EQ(GetError().code, code) << status;
  }
  server_->faults().Add(
      {.resource = "secrets", .status = 429, .retry_after = seconds(7), .times = 1});
  const Error error = GetError();
  EXPECT_EQ(error.code, Code::kResourceExhausted);
  EXPECT_EQ(error.retry_after, seconds(7));
  CallOptions exempt;
  exempt.priority = Priority::kExempt;
  EXPECT_EQ(GetError(exempt).code, Code::kNotFound) << "goes through while others are held back";
}

TEST_F(ClientFaultTest, ConnectionsThatBreak) {
  ASSERT_TRUE(client_->Create(Secrets(), SecretNamed("app"), {}));
  for (const Fault::Reset reset :
       {Fault::Reset::kBefore, Fault::Reset::kAfter, Fault::Reset::kMiddle}) {
    Fault fault;
    fault.resource = "secrets";
    fault.reset = reset;
    server_->faults().Add(fault);
    EXPECT_EQ(GetError().code, Code::kUnavailable) << static_cast<int>(reset);
    server_->faults().Clear();
    EXPECT_TRUE(client_->Get(Secrets(), key_, {}));
  }
  server_->faults().SetDown(true);
  EXPECT_EQ(GetError().code, Code::kUnavailable);
  server_->faults().SetDown(false);
  EXPECT_TRUE(client_->Get(Secrets(), key_, {}));
}

TEST_F(ClientFaultTest, AServerThatHangsMeetsTheDeadlineOrAStop) {
  ASSERT_TRUE(client_->Create(Secrets(), SecretNamed("app"), {}));
  Fault fault;
  fault.resource = "secrets";
  fault.hang = true;
  server_->faults().Add(fault);
  Client::Options options;
  options.call_timeout = milliseconds(100);
  options.list_timeout = milliseconds(100);
  Connect(server_->Kubeconfig(), options);
  // Where setting up TLS alone takes longer, there is no connection in time.
  EXPECT_THAT(GetError().code, AnyOf(Code::kDeadlineExceeded, Code::kUnavailable));
  ListOptions list;
  list.namespace_name = "podinfo";
  EXPECT_FALSE(client_->List(Secrets(), list, {}));

  Connect(server_->Kubeconfig(), {.call_timeout = std::chrono::hours(1)});
  const std::uint64_t before = server_->log().Total("get", "secrets");
  std::jthread caller([&](const std::stop_token& stop) {
    CallOptions call;
    call.stop = stop;
    EXPECT_EQ(GetError(call).code, Code::kCancelled);
  });
  const auto deadline = std::chrono::steady_clock::now() + seconds(20);
  while (server_->log().Total("get", "secrets") == before) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  caller.request_stop();
  caller.join();
}

TEST_F(ClientFaultTest, ManyCallersShareConnectionsAndTheLimit) {
  std::vector<std::jthread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([this, i] {
      for (int k = 0; k < 20; ++k) {
        const std::string name = "s-" + std::to_string(i) + "-" + std::to_string(k);
        const Result<Object> created = client_->Create(Secrets(), SecretNamed(name), {});
        EXPECT_TRUE(created) << (created ? "" : created.error().message);
      }
    });
  }
  callers.clear();
  std::size_t found = 0;
  ListOptions list;
  list.namespace_name = "podinfo";
  list.limit = 30;
  do {
    const Result<ListPage> page = client_->List(Secrets(), list, {});
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_LE(page->items.size(), 30U);
    found += page->items.size();
    list.continue_token = page->continue_token;
  } while (!list.continue_token.empty());
  EXPECT_EQ(found, 160U);
}

}  // namespace
}  // namespace escagent::kube
