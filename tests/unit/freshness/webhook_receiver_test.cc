#include "agent/freshness/webhook_receiver.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"

namespace escagent::freshness {
namespace {

constexpr char kBody[] =
    R"({"organization":{"githubLogin":"acme"},"projectName":"web","environmentName":"dev"})";

class WebhookReceiverTest : public ::testing::Test {
 protected:
  WebhookReceiverTest() { SetSecret("top-secret\n"); }
  ~WebhookReceiverTest() override { std::filesystem::remove_all(folder_); }

  void SetSecret(std::string_view text) {
    ASSERT_TRUE(WriteFileAtomically((folder_ / "secret").string(), text));
  }
  static WebhookRequest Request(std::string body = kBody, std::string id = "1",
                                std::string kind = "environment_revision_created") {
    std::string signature = WebhookSignature(Secret(std::string("top-secret")), body);
    return {.id = std::move(id),
            .kind = std::move(kind),
            .signature = std::move(signature),
            .body = std::move(body)};
  }

  static std::filesystem::path MakeFolder() {
    std::string name = ::testing::TempDir() + "webhookXXXXXX";
    return mkdtemp(name.data());
  }

  const std::filesystem::path folder_ = MakeFolder();
  std::vector<std::string> changes_;
  WebhookReceiver receiver_{(folder_ / "secret").string(),
                            [this](const esc::EnvironmentRef& ref, const std::string&) {
                              changes_.push_back(ref.ToString());
                            }};
};

TEST(WebhookSignature, IsHmacSha256) {
  // RFC 4231, test case 2.
  EXPECT_EQ(WebhookSignature(Secret(std::string("Jefe")), "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_F(WebhookReceiverTest, TellsOfChanges) {
  EXPECT_EQ(receiver_.Receive(Request()), 200);
  EXPECT_EQ(changes_, std::vector<std::string>{"acme/web/dev"});
  for (const char* kind : {"environment_revision_tag_updated", "environment_revision_retracted",
                           "imported_environment_changed", "environment_deleted"}) {
    WebhookRequest request = Request(
        std::string(kBody).insert(1, std::string(R"("kind":")") + kind + "\","), kind, kind);
    EXPECT_EQ(receiver_.Receive(request), 200);
  }
  EXPECT_EQ(changes_.size(), 5U);
}

TEST_F(WebhookReceiverTest, RefusesWhatIsNotSigned) {
  WebhookRequest request = Request();
  request.signature[0] = request.signature[0] == '0' ? '1' : '0';
  EXPECT_EQ(receiver_.Receive(request), 401);
  request.signature.clear();
  EXPECT_EQ(receiver_.Receive(request), 401);
  request = Request();
  request.body += " ";
  EXPECT_EQ(receiver_.Receive(request), 401);
  SetSecret("another");
  EXPECT_EQ(receiver_.Receive(Request()), 401);
  // An empty secret, or none, lets nobody in.
  SetSecret("\n");
  request = Request();
  request.signature = WebhookSignature(Secret(std::string()), request.body);
  EXPECT_EQ(receiver_.Receive(request), 401);
  std::filesystem::remove(folder_ / "secret");
  EXPECT_EQ(receiver_.Receive(request), 401);
  EXPECT_TRUE(changes_.empty());
  EXPECT_EQ(receiver_.GetStats().no_secret, 2U);
  EXPECT_EQ(receiver_.GetStats().wrongly_signed, 4U);
}

TEST_F(WebhookReceiverTest, AReplayDoesNothing) {
  EXPECT_EQ(receiver_.Receive(Request()), 200);
  EXPECT_EQ(receiver_.Receive(Request()), 200);
  EXPECT_EQ(receiver_.Receive(Request(kBody, "2")), 200);
  EXPECT_EQ(changes_.size(), 1U);
  EXPECT_EQ(receiver_.Receive(Request(std::string(kBody) + " ", "3")), 200);
  EXPECT_EQ(changes_.size(), 2U);
}

TEST_F(WebhookReceiverTest, OtherKindsAreIgnored) {
  for (const char* kind : {"ping", "", "environment_tag_created", "stack_created"}) {
    EXPECT_EQ(receiver_.Receive(Request("not even JSON", "1", kind)), 200) << kind;
  }
  EXPECT_TRUE(changes_.empty());
}

TEST_F(WebhookReceiverTest, BodiesThatSayNothing) {
  for (
      const char* body :
      {"", "[]", "{}", R"({"organization":"acme","projectName":"web","environmentName":"dev"})",
       R"({"organization":{"githubLogin":"acme"},"projectName":"../x","environmentName":"dev"})"}) {
    EXPECT_EQ(receiver_.Receive(Request(body, body)), 400) << body;
  }
  EXPECT_EQ(receiver_.Receive(Request(std::string(kMaxWebhookBody + 1, ' '))), 413);
}

TEST_F(WebhookReceiverTest, OldDeliveriesAreForgotten) {
  for (int i = 0; i < 3000; ++i) {
    receiver_.Receive(Request(std::string(kBody) + std::string(static_cast<std::size_t>(i), ' '),
                              std::to_string(i)));
  }
  EXPECT_EQ(changes_.size(), 3000U);
}

}  // namespace
}  // namespace escagent::freshness
