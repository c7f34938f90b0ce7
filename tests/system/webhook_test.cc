#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "agent/freshness/webhook_receiver.h"
#include "base/curl_transport.h"
#include "base/http.h"
#include "base/json.h"
#include "base/secret.h"
#include "tests/system/mirror_fixture.h"
#include "tests/system/process.h"

// Webhooks, as Pulumi sends them, to one of two agents that would look at ESC only every hour: both
// show the change.

namespace escagent::testing {
namespace {

using std::chrono::seconds;

constexpr std::string_view kSecret = "webhook-secret";

class WebhookTest : public MirrorTest {
 protected:
  void StartAgents() {
    WriteAll(bed_->node().folder() + "/webhook-secret", std::string(kSecret) + "\n");
    for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
      bed_->StartAgent(index, {"--refresh-interval", "1h", "--webhook-secret-file",
                               bed_->node().folder() + "/webhook-secret"});
    }
  }

  // A page of an agent, which says in its log where it listens.
  std::string PageOf(std::size_t index, const std::string& path) const {
    std::string address;
    const auto found = [&] {
      const std::string log = bed_->AgentLog(index);
      std::size_t line = log.find("http listening");
      if (line == std::string::npos) return false;
      line = log.rfind('\n', line) == std::string::npos ? 0 : log.rfind('\n', line) + 1;
      const auto entry = ParseJson(log.substr(line, log.find('\n', line) - line), "a log line");
      if (!entry) return false;
      address = "http://" + (*entry)["address"].get<std::string>();
      return true;
    };
    EXPECT_TRUE(WaitFor(found, seconds(20)));
    return address + path;
  }

  int Send(std::size_t index, const std::string& id, std::string_view secret) {
    const std::string body = DumpJson({{"organization", {{"githubLogin", "acme"}}},
                                       {"projectName", bed_->name()},
                                       {"environmentName", "app"},
                                       {"timestamp", id}});
    HttpRequest request;
    request.method = "POST";
    request.url = PageOf(index, "/webhooks/pulumi-esc");
    request.headers = {
        {"Pulumi-Webhook-ID", id},
        {"Pulumi-Webhook-Kind", "environment_revision_created"},
        {"Pulumi-Webhook-Signature", freshness::WebhookSignature(Secret(secret), body)}};
    request.content_type = "application/json";
    request.body = Secret(std::string_view(body));
    const Result<HttpResponse> response = transport_.Send(request, {});
    EXPECT_TRUE(response) << response.error().message;
    return response ? response->status : 0;
  }

  CurlTransport transport_{{.user_agent = "webhook-test", .allow_plain_http = true}};
};

INSTANTIATE_TEST_SUITE_P(Api, WebhookTest, ::testing::Values("fake", "real"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(WebhookTest, OneAgentReceivesAndAllFollow) {
  const std::string store = bed_->ApplyClusterStore("store", "app");
  StartAgents();
  std::vector<std::string> targets;
  for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
    const std::string pod = "pod-" + std::to_string(index);
    const auto target = bed_->Publish(
        bed_->Volume(pod, bed_->MakePod(pod), {{"clusterSecretStore", store}, {"path", "app"}}),
        index);
    ASSERT_TRUE(target) << target.error().message;
    targets.push_back(*target);
  }
  const auto shows = [&](const std::string& value) {
    return WaitFor(
        [&] {
          return ReadAll(targets[0] + "/hello") == value && ReadAll(targets[1] + "/hello") == value;
        },
        seconds(20));
  };
  ASSERT_TRUE(shows("world"));

  bed_->WriteEnvironment("app", "values: {app: {hello: second}}\n");
  EXPECT_EQ(Send(0, "1", "another secret"), 401);
  EXPECT_EQ(Send(0, "2", kSecret), 200);
  EXPECT_TRUE(shows("second"));

  // The other way round; what was sent before does nothing more.
  bed_->WriteEnvironment("app", "values: {app: {hello: third}}\n");
  EXPECT_EQ(Send(0, "2", kSecret), 200);
  EXPECT_THAT(HttpGet(PageOf(0, "/metrics")),
              ::testing::HasSubstr("esc_agent_webhooks_total{outcome=\"replayed\"} 1"));
  EXPECT_EQ(Send(1, "3", kSecret), 200);
  EXPECT_TRUE(shows("third"));
}

}  // namespace
}  // namespace escagent::testing
