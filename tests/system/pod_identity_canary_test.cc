#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/thread.h"
#include "tests/fakes/fake_oidc_issuer.h"
#include "tests/system/canary.h"
#include "tests/system/process.h"
#include "tests/system/testbed.h"

// The tokens of volumes with `auth: pod`: whatever ESC answers, neither a pod's token nor an access
// token comes out of the agent. Both carry a mark that is looked for everywhere.

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr const char* kMark = "cnry5b8e27";
constexpr const char* kIssuer = "https://kubernetes.default.svc";
constexpr seconds kPatience{30};

// ESC as its worst self, in front of the dev server: it exchanges tokens, or refuses with what it
// was sent.
class TalkativeEsc {
 public:
  // What is said to an exchange, given the token.
  using Answer = std::function<void(const std::string& subject, httplib::Response& response)>;

  TalkativeEsc(std::string backend, std::string token)
      : backend_(std::move(backend)), token_(std::move(token)) {
    const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
      Handle(request, response);
    };
    server_.Get(".*", handler).Post(".*", handler);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = StartThread("esc", [this](const std::stop_token&) { server_.listen_after_bind(); });
    EXPECT_TRUE(WaitFor([this] { return server_.is_running(); }, kPatience));
  }
  ~TalkativeEsc() { server_.stop(); }
  TalkativeEsc(const TalkativeEsc&) = delete;
  TalkativeEsc& operator=(const TalkativeEsc&) = delete;

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void AnswerExchanges(Answer answer) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  // Refuses access tokens, and says which.
  void RefuseAccess(bool refuse) { refuse_ = refuse; }
  // The tokens that came, of both kinds.
  std::string Seen() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return seen_;
  }

 private:
  void Handle(const httplib::Request& request, httplib::Response& response) EXCLUDES(mutex_) {
    const std::string subject = request.get_param_value("subject_token");
    const std::string authorization = request.get_header_value("Authorization");
    Answer answer;
    {
      MutexLock lock(mutex_);
      seen_ += subject + authorization + "\n";
      answer = answer_;
    }
    if (request.path == "/api/oauth/token") return answer(subject, response);
    if (refuse_) {
      response.status = 401;
      response.set_content(json{{"code", 401}, {"message", "no " + authorization}}.dump(),
                           "application/json");
      return;
    }
    httplib::Client client(backend_);
    const httplib::Headers headers = {{"Authorization", "token " + token_}};
    const std::string target = request.target;
    const auto answered = request.method == "HEAD"  ? client.Head(target, headers)
                          : request.method == "GET" ? client.Get(target, headers)
                                                    : client.Post(target, headers, "", "");
    if (!answered) return void(response.status = 502);
    response.status = answered->status;
    for (const char* name : {"ETag", "Pulumi-ESC-Revision"}) {
      if (answered->has_header(name)) response.set_header(name, answered->get_header_value(name));
    }
    response.set_content(answered->body, "application/json");
  }

  const std::string backend_;
  const std::string token_;
  std::atomic<bool> refuse_ = false;
  mutable Mutex mutex_;
  Answer answer_ GUARDED_BY(mutex_);
  std::string seen_ GUARDED_BY(mutex_);
  httplib::Server server_;
  int port_ = 0;
  std::jthread thread_;
};

void Grant(const std::string&, httplib::Response& response) {
  response.set_content(json{{"access_token", std::string("pul-") + kMark},
                            {"token_type", "token"},
                            {"expires_in", 3600}}
                           .dump(),
                       "application/json");
}

class PodIdentityCanaryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { EnterPrivateMountNamespace(); }

  void StartNode() {
    bed_.WriteEnvironment("acme/shop/web", "values: {password: first}\n");
    bed_.StartDevServer();
    esc_ = std::make_unique<TalkativeEsc>(bed_.esc_url(), bed_.token());
    esc_->AnswerExchanges(Grant);
    bed_.UseEsc(esc_->Url());
    bed_.StartKeeper();
    StartAgent();
  }
  void StartAgent() {
    bed_.StartAgent({"--refresh-interval", "1s", "--log-level", "debug", "--audit-log",
                     bed_.folder() + "/audit.log"});
  }

  // A pod's token, marked in its claims.
  std::string Jwt(const std::string& account, const json& changes = json::object()) const {
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    json claims = FakeOidcIssuer::PodClaims(kIssuer, "acme", "default", account, now, now + 3600);
    claims["jti"] = std::string(60, 'j') + kMark + kMark + kMark;
    claims.update(changes);
    return issuer_.Sign(claims);
  }
  InlineVolume Volume(const std::string& pod, const std::string& account,
                      const std::string& token) const {
    InlineVolume volume = bed_.Volume(
        pod, {{"environment", "acme/shop/web"}, {"auth", "pod"}, {"onRevoke", "empty"}});
    volume.service_account = account;
    volume.service_account_tokens =
        json{{"urn:pulumi:org:acme",
              {{"token", token}, {"expirationTimestamp", "2099-01-01T00:00:00Z"}}}}
            .dump();
    return volume;
  }

  void Check(std::string_view what, std::string_view text) const {
    EXPECT_EQ(canary_.FindIn(text), "") << "a token leaks into " << what;
  }
  // A publish that must fail, with the token in either place.
  void Refuse(const std::string& pod, const std::string& token) {
    for (const bool in_secrets : {true, false}) {
      InlineVolume volume = Volume(pod, pod, token);
      volume.tokens_in_secrets = in_secrets;
      const auto target = bed_.kubelet().Publish(bed_.endpoint(), volume);
      ASSERT_FALSE(target) << pod << " was published";
      EXPECT_NE(target.error().message, "");
      Check("the error of " + pod, target.error().message);
    }
  }
  void CheckPages() {
    for (const char* path : {"/metrics", "/status", "/"}) {
      const std::string page = HttpGet(bed_.AgentUrl() + path);
      EXPECT_NE(page, "") << path;
      Check(path, page);
    }
    Process status({bed_.program(), "status", "--json", "--admin-socket", bed_.admin_socket()}, {},
                   bed_.folder() + "/status-command");
    EXPECT_EQ(status.Wait(kPatience), 0);
    Check("esc-agent status", status.Out() + status.Err());
  }
  // Logs, the audit log and whatever else the programs have written.
  void CheckFiles() const {
    for (auto it = std::filesystem::recursive_directory_iterator(bed_.folder());
         it != std::filesystem::recursive_directory_iterator(); ++it) {
      if (it->is_regular_file()) Check(it->path().string(), ReadAll(it->path().string()));
    }
  }
  std::string ConditionOf(const InlineVolume& volume) {
    const auto stats = bed_.kubelet().Stats(bed_.endpoint(), volume);
    return stats ? stats->volume_condition().message() : stats.error().message;
  }

  const Canary canary_{kMark};
  const FakeOidcIssuer issuer_;
  Testbed bed_{ProgramFolder()};
  std::unique_ptr<TalkativeEsc> esc_;
};

TEST_F(PodIdentityCanaryTest, NoTokenEverComesOut) {
  StartNode();
  const InlineVolume web = Volume("web-1", "web", Jwt("web"));
  InlineVolume api = Volume("api-1", "api", Jwt("api"));
  api.tokens_in_secrets = false;
  for (const InlineVolume& volume : {web, api}) {
    const auto target = bed_.kubelet().Publish(bed_.endpoint(), volume);
    ASSERT_TRUE(target) << target.error().message;
    ASSERT_EQ(ReadAll(*target + "/password"), "first");
  }
  // The search is not for nothing: both kinds have the mark, and were sent.
  ASSERT_NE(canary_.FindIn(Jwt("web")), "");
  ASSERT_THAT(esc_->Seen(), HasSubstr("token pul-" + std::string(kMark)));
  CheckPages();

  // What cannot be exchanged.
  const std::string good = Jwt("wrong");
  for (const std::string& token :
       {std::string(kMark) + " is no token", good.substr(0, good.rfind('.')), good + "." + good,
        Jwt("wrong", {{"sub", kMark}, {"kubernetes.io", kMark}}), std::string()}) {
    Refuse("wrong", token);
  }

  // Refusals that hold what was sent.
  int number = 0;
  const auto said = [](int status, const std::string& body) {
    return [status, body](const std::string& subject, httplib::Response& response) {
      std::string text = body;
      for (std::size_t at = 0; (at = text.find("TOKEN")) != std::string::npos;) {
        text.replace(at, 5, subject);
      }
      response.status = status;
      response.set_content(text, "application/json");
    };
  };
  const auto refuse = [&](int status, const std::string& body) {
    esc_->AnswerExchanges(said(status, body));
    const std::string account = "refused-" + std::to_string(++number);
    Refuse(account, Jwt(account));
  };
  const std::vector<std::string> bodies = {
      R"({"error":"invalid_request","error_description":"no policy for TOKEN"})",
      R"({"code":400,"message":"TOKEN: TOKEN"})",
      R"({"error":"TOKEN"})",
      "TOKEN",
      R"({"error_description":"TOKEN)",
      R"({"error_description":["TOKEN"],"message":"TOKEN"})",
      "<html>TOKEN</html>"};
  for (const std::string& body : bodies) {
    for (const int status : {400, 401, 403, 404}) refuse(status, body);
  }
  for (const int status : {429, 500, 503}) refuse(status, bodies.front());
  // A grant that is none.
  esc_->AnswerExchanges(said(200, R"({"access_token":"TOKEN two words","expires_in":60})"));
  Refuse("granted", Jwt("granted"));
  esc_->AnswerExchanges(said(200, R"({"token":"TOKEN"})"));
  Refuse("granted-2", Jwt("granted-2"));
  CheckPages();

  // Mounted volumes whose access token is refused, by an ESC that says which it was.
  esc_->AnswerExchanges(said(403, R"({"error_description":"TOKEN is not welcome any more"})"));
  esc_->RefuseAccess(true);
  EXPECT_TRUE(
      WaitFor([&] { return ConditionOf(web).contains("ESC refuses the identity"); }, kPatience));
  Check("the condition", ConditionOf(web));
  CheckPages();

  // A successor, which has the records of the volumes but no token.
  EXPECT_EQ(bed_.StopAgent(), 0);
  StartAgent();
  CheckPages();
  for (const InlineVolume& volume : {web, api}) {
    EXPECT_TRUE(bed_.kubelet().Publish(bed_.endpoint(), volume));
    Check("the condition after a restart", ConditionOf(volume));
    EXPECT_TRUE(bed_.kubelet().Unpublish(bed_.endpoint(), volume));
  }
  EXPECT_EQ(bed_.StopAgent(), 0);
  CheckFiles();
  EXPECT_THAT(ReadAll(bed_.folder() + "/audit.log"), HasSubstr("\"allowed\":false"));
}

}  // namespace
}  // namespace escagent::testing
