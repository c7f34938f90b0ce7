#include "agent/status/http_server.h"

#include <gtest/gtest.h>
#include <httplib.h>

namespace escagent::status {
namespace {

HttpServer::Options Pages() {
  HttpServer::Options options;
  options.host = "127.0.0.1";
  options.healthy = [] { return Status(); };
  options.ready = [] { return Status(Unavailable("not registered")); };
  options.metrics = [] { return std::string("metric 1\n"); };
  options.status_json = [] { return std::string("{}"); };
  options.status_page = [] { return std::string("<html>"); };
  return options;
}

TEST(HttpServer, ServesProbesAndPages) {
  const auto server = HttpServer::Start(Pages());
  ASSERT_TRUE(server) << server.error().message;
  httplib::Client client("127.0.0.1", (*server)->port());
  const auto healthy = client.Get("/healthz");
  ASSERT_TRUE(healthy);
  EXPECT_EQ(healthy->status, 200);
  EXPECT_EQ(healthy->body, "ok\n");
  const auto ready = client.Get("/readyz");
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->status, 503);
  EXPECT_EQ(ready->body, "UNAVAILABLE: not registered\n");
  EXPECT_EQ(client.Get("/metrics")->body, "metric 1\n");
  EXPECT_EQ(client.Get("/status")->get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(client.Get("/")->body, "<html>");
  EXPECT_EQ(client.Get("/nothing")->status, 404);
}

TEST(HttpServer, AnAddressInUseIsSaid) {
  const auto first = HttpServer::Start(Pages());
  ASSERT_TRUE(first) << first.error().message;
  HttpServer::Options options = Pages();
  options.port = (*first)->port();
  const auto second = HttpServer::Start(std::move(options));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace escagent::status
