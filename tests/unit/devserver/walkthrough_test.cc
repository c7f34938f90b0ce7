#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "esc/devserver/key_file.h"
#include "esc/devserver/store_loader.h"
#include "esc/json_writer.h"
#include "tests/fakes/fake_clock.h"

// The definitions of manifests/examples/walkthrough, as they are in the repository.

namespace escagent::devserver {
namespace {

std::string EvaluateToJson(const std::string& name, bool redact) {
  escagent::testing::FakeClock clock;
  DefinitionStore store(WALKTHROUGH_DIR, clock);
  const auto revision = store.Get(*esc::EnvironmentRef::Parse("acme/" + name));
  EXPECT_TRUE(revision);
  if (!revision) return "";
  const Identity identity;
  const SecretCodec secrets(MakeKey());
  StoreLoader loader(store, secrets, identity, "acme", SecretForm::kStored);
  eval::EvalOptions options;
  options.environment = name;
  options.loader = &loader;
  const eval::EvalResult result = eval::Evaluate(revision->text->Reveal(), options);
  EXPECT_TRUE(result.diagnostics.empty()) << esc::JoinDiagnostics(result.diagnostics);
  SecretBuilder out;
  esc::WriteJson(result.properties, {.indent = -1, .escape_html = false, .redact_secrets = redact},
                 out);
  return std::string(out.Reveal());
}

TEST(WalkthroughTest, App) {
  EXPECT_EQ(EvaluateToJson("eso-esc-demo/esp-esc-app", false),
            R"({"app":{"hello":"world","hello-secret":"world"}})");
  EXPECT_EQ(EvaluateToJson("eso-esc-demo/esp-esc-app", true),
            R"({"app":{"hello":"world","hello-secret":"[secret]"}})");
}

TEST(WalkthroughTest, Dev) {
  EXPECT_EQ(EvaluateToJson("eso-esc-demo/eso-esc-dev", true),
            R"({"pulumiConfig":{"pulumi-pat":"[secret]"}})");
}

TEST(WalkthroughTest, RealisticApplication) {
  const auto json = nlohmann::json::parse(EvaluateToJson("shop/production", false));
  const std::string url =
      "postgresql://shop:not-a-real-password@db.eu-west-1.example.com:5432/shop?"
      "connect_timeout=5&sslmode=verify-full";
  EXPECT_EQ(json["database"]["url"], url);
  EXPECT_EQ(json["environmentVariables"],
            (nlohmann::json{{"DATABASE_URL", url},
                            {"LOG_LEVEL", "info"},
                            {"LICENSED_SEATS", 250},
                            {"BASIC_AUTH", "c2hvcDpub3QtYS1yZWFsLXBhc3N3b3Jk"}}));
  const auto config = nlohmann::json::parse(json["files"]["CONFIG_JSON"].get<std::string>());
  EXPECT_EQ(config["logging"], (nlohmann::json{{"format", "json"}, {"level", "info"}}));
  EXPECT_EQ(config["database"]["url"], url);
  EXPECT_EQ(json["files"]["TLS_KEY"], "-----BEGIN FAKE KEY-----\n");
  EXPECT_EQ(json["files"]["MOTD"],
            "Region eu-west-1, price list in $, served by shop/production.\n");
  EXPECT_EQ(json["pulumiConfig"]["shop:features"], "\"sso\",\"audit\"");

  const auto redacted = nlohmann::json::parse(EvaluateToJson("shop/production", true));
  EXPECT_EQ(redacted["files"]["CONFIG_JSON"], "[secret]");
  EXPECT_EQ(redacted["files"]["TLS_KEY"], "[secret]");
  EXPECT_EQ(redacted["environmentVariables"]["LOG_LEVEL"], "info");
  EXPECT_EQ(redacted["environmentVariables"]["LICENSED_SEATS"], "[secret]");
}

}  // namespace
}  // namespace escagent::devserver
