#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/curl_transport.h"
#include "base/strings.h"
#include "esc/client.h"
#include "esc/edit/definition_editor.h"
#include "tests/component/devserver/server_fixture.h"

// Updates of definitions over HTTP: with a plain client, and with the agent's own client and
// editor.

namespace escagent::devserver {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kYaml = "application/x-yaml";

class UpdateTest : public ServerFixture {
 protected:
  void SetUp() override {
    Start();
    esc::Client::Options options;
    options.api_url = server_->url();
    options.token = std::make_shared<const Secret>(std::string_view("dev"));
    esc_ = std::make_unique<esc::Client>(std::move(options), transport_, wall_clock_);
  }

  httplib::Result Patch(const std::string& text, const std::string& etag = "",
                        const char* type = kYaml) {
    httplib::Headers headers;
    if (!etag.empty()) headers.emplace("ETag", etag);
    return client_->Patch(kEnvironment, headers, text, type);
  }

  std::string EtagNow() { return client_->Head(kEnvironment)->get_header_value("ETag"); }
  std::string DefinitionNow() { return client_->Get(kEnvironment)->body; }
  std::string DecryptedNow() { return client_->Get(std::string(kEnvironment) + "/decrypt")->body; }
  std::string OnDisk() const {
    std::ostringstream text;
    text << std::ifstream(folder_.FileOf("acme/web/dev")).rdbuf();
    return text.str();
  }
  // The value that an open gives.
  std::string Opened(const std::string& path) {
    const auto result = client_->Get(std::string(kEnvironment) + "/open/" + Open() +
                                     "?property=" + UrlEncode(path));
    const json value = Json(result)["value"];
    return value.is_string() ? value.get<std::string>() : result->body;
  }

  // Edits as the mirror does.
  Result<esc::DefinitionUpdate> Set(const std::string& path, const std::string& value) {
    ESC_ASSIGN_OR_RETURN(const esc::Definition definition, esc_->GetDefinition(ref_, {}));
    ESC_ASSIGN_OR_RETURN(const esc::Definition plain, esc_->GetDecryptedDefinition(ref_, {}));
    if (plain.etag != definition.etag) return MakeError(Code::kAborted, "changed");
    std::vector<edit::Edit> edits;
    ESC_ASSIGN_OR_RETURN(esc::PropertyPath parsed, esc::PropertyPath::Parse(path));
    edits.push_back(edit::Edit::Set(std::move(parsed), Secret(std::string_view(value))));
    ESC_ASSIGN_OR_RETURN(const edit::Edited edited,
                         edit::ApplyEdits(definition.yaml, edits, &plain.yaml));
    if (!edited.changed()) return esc::DefinitionUpdate{definition.etag, "unchanged", {}};
    return esc_->UpdateDefinition(ref_, edited.yaml, definition.etag, {});
  }

  const esc::EnvironmentRef ref_{"acme", "web", "dev", ""};
  CurlTransport transport_{CurlTransport::Options{.user_agent = "esc-agent-test"}};
  SystemClock wall_clock_;
  std::unique_ptr<esc::Client> esc_;
};

TEST_F(UpdateTest, MakesANewRevision) {
  const std::string etag = EtagNow();
  const auto result = Patch("# mine\nvalues:\n  v: two\n", etag);
  ASSERT_EQ(result->status, 200) << result->body;
  EXPECT_EQ(result->get_header_value("Pulumi-ESC-Revision"), "2");
  EXPECT_NE(result->get_header_value("ETag"), etag);
  EXPECT_EQ(result->get_header_value("ETag"), EtagNow());
  EXPECT_EQ(Json(result)["diagnostics"], json::array());
  EXPECT_EQ(OnDisk(), "# mine\nvalues:\n  v: two\n");
  EXPECT_EQ(DefinitionNow(), OnDisk());
  EXPECT_EQ(Opened("v"), "two");
  EXPECT_EQ(Json(client_->Get(std::string(kEnvironment) + "/versions")).size(), 2u);
  // The same again is none, whatever the type says.
  const auto same = Patch(OnDisk(), EtagNow(), "application/json");
  EXPECT_EQ(same->status, 200);
  EXPECT_EQ(same->get_header_value("Pulumi-ESC-Revision"), "2");
}

TEST_F(UpdateTest, RefusesWhatWasReadBeforeAnotherChange) {
  const std::string etag = EtagNow();
  folder_.Write("acme/web/dev", "values: {v: edited on disk}\n");
  const auto result = Patch("values: {v: lost}\n", etag);
  EXPECT_EQ(result->status, 409);
  EXPECT_EQ(Json(result)["code"], 409);
  EXPECT_EQ(OnDisk(), "values: {v: edited on disk}\n");
  // Without an ETag the last one wins.
  EXPECT_EQ(Patch("values: {v: forced}\n")->status, 200);
  EXPECT_EQ(Opened("v"), "forced");
}

TEST_F(UpdateTest, RefusesWhatDoesNotEvaluate) {
  const std::string before = OnDisk();
  for (const char* text :
       {"values: {v: '${missing}'}", "values: [", "values: {a: {fn::nothing: 1}}",
        "values: {s: {fn::secret: {ciphertext: ZXNjeAAAAAE=}}}"}) {
    const auto result = Patch(text);
    EXPECT_EQ(result->status, 400) << text;
    EXPECT_FALSE(Json(result)["diagnostics"].empty()) << text;
  }
  EXPECT_EQ(OnDisk(), before);
  EXPECT_EQ(client_->Head(kEnvironment)->get_header_value("Pulumi-ESC-Revision"), "1");
  EXPECT_EQ(client_->Patch("/api/esc/environments/acme/web/none", "", kYaml)->status, 404);
}

TEST_F(UpdateTest, TellsWarnings) {
  const auto result = Patch("what: is this\n");
  ASSERT_EQ(result->status, 200);
  EXPECT_EQ(Json(result)["diagnostics"][0]["severity"], "warning");
}

TEST_F(UpdateTest, ServesSecretsEncrypted) {
  EXPECT_THAT(DefinitionNow(), HasSubstr("ciphertext: ZXNje"));
  EXPECT_THAT(DefinitionNow(), Not(HasSubstr("two")));
  EXPECT_EQ(DecryptedNow(), OnDisk());
  const std::string yaml =
      "values:\n  a: # why\n    fn::secret: \"p: $$ ${x}\" # so\n  b: {c: {fn::secret: q}}\n";
  ASSERT_EQ(Patch(yaml)->status, 200);
  EXPECT_EQ(Opened("a"), "p: $$ ${x}");
  EXPECT_EQ(Opened("b.c"), "q");
  const std::string served = DefinitionNow();
  EXPECT_THAT(served, HasSubstr("  a: # why\n    fn::secret:\n      ciphertext: ZXNje"));
  EXPECT_THAT(served, HasSubstr(" # so\n  b: {c: {fn::secret: {ciphertext: ZXNje"));
  EXPECT_EQ(DecryptedNow(), yaml);
  EXPECT_EQ(client_->Get(std::string(kEnvironment) + "/versions/2/decrypt")->body, yaml);
  // Ciphertext that comes back is the same secret.
  const auto same = Patch(served, EtagNow());
  ASSERT_EQ(same->status, 200) << same->body;
  EXPECT_EQ(Opened("a"), "p: $$ ${x}");
  EXPECT_EQ(DecryptedNow(), yaml);
}

TEST_F(UpdateTest, CiphertextOutlivesTheServer) {
  const std::string served = DefinitionNow();
  server_.reset();
  Start();
  const auto result = Patch(served + "  w: new\n");
  ASSERT_EQ(result->status, 200) << result->body;
  EXPECT_EQ(Opened("s"), "two");
}

TEST_F(UpdateTest, EachFolderHasAKeyOfItsOwn) {
  const std::string served = DefinitionNow();
  std::filesystem::remove(folder_.path() + "/.esc-agent/key");
  server_.reset();
  Start();
  EXPECT_NE(DefinitionNow(), served);
  const auto result = Patch(served);
  EXPECT_EQ(result->status, 400);
  EXPECT_THAT(result->body, HasSubstr("not made with the key of this server's definitions"));
  server_.reset();
  std::ofstream(folder_.path() + "/.esc-agent/key", std::ios::trunc) << "broken";
  Server::Options options;
  options.definitions_dir = folder_.path();
  const auto broken = Server::Start(std::move(options));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::kFailedPrecondition);
}

TEST_F(UpdateTest, AgentEditsWithoutDestroying) {
  folder_.Write("acme/web/base", "values: {app: {user: base, host: h}}\n");
  const std::string before =
      "# top\nimports:\n  - web/base # base\nvalues:\n  app:\n    # who\n    user: me\n"
      "    url: ${app.user}@${app.host}\n  s:\n    fn::secret: two\n";
  ASSERT_EQ(Patch(before)->status, 200);
  const auto first = Set("app.password", "p${w}");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->revision, "3");
  EXPECT_EQ(DecryptedNow(),
            "# top\nimports:\n  - web/base # base\nvalues:\n  app:\n    # who\n    user: me\n"
            "    url: ${app.user}@${app.host}\n    password:\n      fn::secret: \"p${w}\"\n"
            "  s:\n    fn::secret: two\n");
  EXPECT_EQ(Opened("app.password"), "p${w}");
  EXPECT_EQ(Opened("app.url"), "me@h");
  // Nothing when equal; an imported value that is equal is not in this definition.
  EXPECT_EQ(Set("app.password", "p${w}")->revision, "unchanged");
  EXPECT_EQ(Set("s", "two")->revision, "unchanged");
  EXPECT_EQ(Set("app.host", "h")->revision, "4");
}

TEST_F(UpdateTest, AgentMeetsAConflict) {
  const auto definition = esc_->GetDefinition(ref_, {});
  ASSERT_TRUE(definition);
  ASSERT_EQ(Patch("values: {v: other}\n")->status, 200);
  const auto update = esc_->UpdateDefinition(ref_, definition->yaml, definition->etag, {});
  ASSERT_FALSE(update);
  EXPECT_EQ(update.error().code, Code::kAborted);
  const auto bad = esc_->UpdateDefinition(
      ref_, Secret(std::string_view("values: {v: '${missing}'}")), EtagNow(), {});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kInvalidArgument);
  EXPECT_THAT(bad.error().message, HasSubstr("unknown property \"missing\""));
}

// Every writer that was told 200 finds its value in the end, and each made one revision.
TEST_F(UpdateTest, WritersDoNotLoseEachOther) {
  constexpr int kWriters = 3;
  constexpr int kWrites = 3;
  std::atomic<int> updates = 0;
  {
    std::vector<std::jthread> threads;
    for (int writer = 0; writer < kWriters; ++writer) {
      threads.emplace_back([&, writer] {
        for (int i = 0; i < kWrites; ++i) {
          const std::string path = "w" + std::to_string(writer) + ".v" + std::to_string(i);
          auto result = Set(path, "x");
          while (!result && result.error().code == Code::kAborted) result = Set(path, "x");
          if (result) ++updates;
        }
      });
    }
  }
  EXPECT_EQ(updates, kWriters * kWrites);
  EXPECT_EQ(client_->Head(kEnvironment)->get_header_value("Pulumi-ESC-Revision"),
            std::to_string(1 + kWriters * kWrites));
  for (int writer = 0; writer < kWriters; ++writer) {
    for (int i = 0; i < kWrites; ++i) {
      EXPECT_EQ(Opened("w" + std::to_string(writer) + ".v" + std::to_string(i)), "x");
    }
  }
}

}  // namespace
}  // namespace escagent::devserver
