#pragma once

#include <gtest/gtest.h>
#include <httplib.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "esc/devserver/server.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/devserver/definition_folder.h"

namespace escagent::devserver {

inline constexpr const char* kEnvironment = "/api/esc/environments/acme/web/dev";

// A server on a free port of loopback, with one environment acme/web/dev. Time stands still.
class ServerFixture : public ::testing::Test {
 protected:
  ServerFixture() { folder_.Write("acme/web/dev", "values:\n  v: one\n  s: {fn::secret: two}\n"); }

  // Takes only `token` when it is given.
  void Start(std::optional<std::string> token = std::nullopt) {
    Server::Options options;
    if (token) options.token = Secret(std::string_view(*token));
    StartWith(std::move(options));
  }

  void StartWith(Server::Options options) {
    options.definitions_dir = folder_.path();
    options.clock = &clock_;
    auto server = Server::Start(std::move(options));
    ASSERT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
    client_ = MakeClient();
  }

  std::unique_ptr<httplib::Client> MakeClient() const {
    auto client = std::make_unique<httplib::Client>("127.0.0.1", server_->port());
    client->set_keep_alive(true);
    client->set_read_timeout(10, 0);
    client->set_default_headers({{"Authorization", "token dev"}});
    return client;
  }

  nlohmann::json Json(const httplib::Result& result) const {
    if (!result) return httplib::to_string(result.error());
    return nlohmann::json::parse(result->body, nullptr, /*allow_exceptions=*/false);
  }

  // Opens acme/web/dev and gives the session's id.
  std::string Open(const std::string& query = "") {
    const auto result = client_->Post(std::string(kEnvironment) + "/open" + query);
    if (!result || result->status != 200) return "";
    return Json(result)["id"].get<std::string>();
  }

  DefinitionFolder folder_;
  escagent::testing::FakeClock clock_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<httplib::Client> client_;
};

}  // namespace escagent::devserver
