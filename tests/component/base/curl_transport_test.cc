#include "base/curl_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "base/thread.h"
#include "tests/component/base/loopback_server.h"

// What CurlTransport does while all is well, against a real HTTP server.

namespace escagent {
namespace {

using ::testing::HasSubstr;
using testing::LoopbackServer;

HttpRequest Get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

// Answers with the request as the server saw it.
void Echo(const httplib::Request& request, httplib::Response& response) {
  std::string seen = request.method + " " + request.target + "\n";
  for (const auto& [name, value] : request.headers) seen.append(name + ": " + value + "\n");
  response.set_content(seen + "\n" + request.body, "text/plain");
}

void ServeEcho(httplib::Server& server) {
  server.Get("/echo", Echo);
  server.Post("/echo", Echo);
  server.Put("/echo", Echo);
  server.Patch("/echo", Echo);
  server.Delete("/echo", Echo);
}

class CurlTransportTest : public ::testing::Test {
 protected:
  const LoopbackServer& Serve(const LoopbackServer::Setup& setup) {
    return servers_.emplace_back(setup);
  }

 private:
  // Before the transport: a server that stops waits for the connections that clients keep open.
  std::list<LoopbackServer> servers_;

 protected:
  CurlTransport transport_{{.user_agent = "esc-agent/test"}};
};

TEST_F(CurlTransportTest, ReturnsStatusHeadersAndBody) {
  const LoopbackServer& server = Serve([](httplib::Server& http) {
    http.Get("/a", [](const httplib::Request&, httplib::Response& response) {
      response.status = 203;
      response.set_header("ETag", "\"7\"");
      response.set_header("Pulumi-ESC-Revision", "7");
      response.set_content(std::string("a\0b", 3), "application/octet-stream");
    });
  });
  const Result<HttpResponse> response = transport_.Send(Get(server.Url("/a")), {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 203);
  EXPECT_EQ(response->Header("etag"), "\"7\"");
  EXPECT_EQ(response->Header("pulumi-esc-revision"), "7");
  EXPECT_EQ(response->body.Reveal(), std::string_view("a\0b", 3));
}

TEST_F(CurlTransportTest, EveryStatusIsAnAnswer) {
  const LoopbackServer& server = Serve([](httplib::Server& http) {
    http.Get(R"(/status/(\d+))", [](const httplib::Request& request, httplib::Response& response) {
      response.status = std::stoi(request.matches[1]);
      response.set_content("why", "text/plain");
    });
  });
  for (const int status : {200, 400, 401, 403, 404, 409, 429, 500, 503}) {
    const Result<HttpResponse> response =
        transport_.Send(Get(server.Url("/status/" + std::to_string(status))), {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, status);
    EXPECT_EQ(response->body.Reveal(), "why");
  }
}

TEST_F(CurlTransportTest, SendsCredentialHeadersAndAgent) {
  const LoopbackServer& server = Serve(ServeEcho);
  const Secret token(std::string_view("pul-abc"));
  HttpRequest request = Get(server.Url("/echo?property=a%2Eb"));
  request.credential = &token;
  request.headers = {{"Accept", "application/vnd.pulumi+8"}};
  const Result<HttpResponse> response = transport_.Send(request, {});
  ASSERT_TRUE(response) << response.error().message;
  const std::string seen(response->body.Reveal());
  EXPECT_THAT(seen, HasSubstr("GET /echo?property=a%2Eb\n"));
  EXPECT_THAT(seen, HasSubstr("Authorization: token pul-abc\n"));
  EXPECT_THAT(seen, HasSubstr("Accept: application/vnd.pulumi+8\n"));
  EXPECT_THAT(seen, HasSubstr("User-Agent: esc-agent/test\n"));

  request.authorization_scheme = "Bearer";
  EXPECT_THAT(std::string(transport_.Send(request, {})->body.Reveal()),
              HasSubstr("Authorization: Bearer pul-abc\n"));
}

TEST_F(CurlTransportTest, NothingOfACallIsLeftForTheNext) {
  const LoopbackServer& server = Serve(ServeEcho);
  const Secret token(std::string_view("pul-abc"));
  HttpRequest first = Get(server.Url("/echo"));
  first.method = "PATCH";
  first.credential = &token;
  first.body = Secret(std::string_view("body-of-the-first"));
  ASSERT_TRUE(transport_.Send(first, {}));
  const Result<HttpResponse> second = transport_.Send(Get(server.Url("/echo")), {});
  ASSERT_TRUE(second) << second.error().message;
  const std::string seen(second->body.Reveal());
  EXPECT_THAT(seen, HasSubstr("GET /echo\n"));
  EXPECT_THAT(seen, ::testing::Not(HasSubstr("Authorization")));
  EXPECT_THAT(seen, ::testing::Not(HasSubstr("body-of-the-first")));
  EXPECT_EQ(server.Connections(), 1U);
}

TEST_F(CurlTransportTest, SendsBodies) {
  const LoopbackServer& server = Serve(ServeEcho);
  for (const std::string method : {"POST", "PUT", "PATCH", "DELETE"}) {
    HttpRequest request = Get(server.Url("/echo"));
    request.method = method;
    request.body = Secret(std::string_view("{\"a\":1}"));
    request.content_type = "application/json";
    const Result<HttpResponse> response = transport_.Send(request, {});
    ASSERT_TRUE(response) << response.error().message;
    const std::string seen(response->body.Reveal());
    EXPECT_THAT(seen, ::testing::StartsWith(method + " /echo\n"));
    EXPECT_THAT(seen, HasSubstr("Content-Type: application/json\n"));
    EXPECT_THAT(seen, ::testing::EndsWith("\n\n{\"a\":1}"));
    EXPECT_THAT(seen, ::testing::Not(HasSubstr("Expect:")));
  }
}

TEST_F(CurlTransportTest, EmptyBodiesHaveALength) {
  const LoopbackServer& server = Serve(ServeEcho);
  for (const std::string method : {"POST", "PUT", "PATCH"}) {
    HttpRequest request = Get(server.Url("/echo"));
    request.method = method;
    const Result<HttpResponse> response = transport_.Send(request, {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_THAT(std::string(response->body.Reveal()), HasSubstr("Content-Length: 0\n"));
  }
}

TEST_F(CurlTransportTest, LargeBodiesBothWays) {
  const LoopbackServer& server = Serve([](httplib::Server& http) {
    http.Post("/mirror", [](const httplib::Request& request, httplib::Response& response) {
      response.set_content(request.body, "text/plain");
    });
  });
  std::string large;
  while (large.size() < 3000000) large += std::to_string(large.size());
  HttpRequest request = Get(server.Url("/mirror"));
  request.method = "POST";
  request.body = Secret(std::string_view(large));
  request.content_type = "text/plain";
  const Result<HttpResponse> response = transport_.Send(request, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body.Reveal(), large);
}

TEST_F(CurlTransportTest, HeadHasHeadersAndNoBody) {
  const LoopbackServer& server = Serve([](httplib::Server& http) {
    http.Get("/a", [](const httplib::Request&, httplib::Response& response) {
      response.set_header("ETag", "\"7\"");
      response.set_content("a body that HEAD must not wait for", "text/plain");
    });
  });
  HttpRequest request = Get(server.Url("/a"));
  request.method = "HEAD";
  for (int i = 0; i < 3; ++i) {
    const Result<HttpResponse> response = transport_.Send(request, {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->Header("ETag"), "\"7\"");
    EXPECT_TRUE(response->body.Empty());
  }
  EXPECT_EQ(server.Connections(), 1U);
}

TEST_F(CurlTransportTest, RedirectsAreNotFollowed) {
  const LoopbackServer& elsewhere = Serve(ServeEcho);
  const LoopbackServer& server = Serve([&elsewhere](httplib::Server& http) {
    http.Get("/a", [&elsewhere](const httplib::Request&, httplib::Response& response) {
      response.set_redirect(elsewhere.Url("/echo"), 307);
    });
  });
  const Secret token(std::string_view("pul-abc"));
  HttpRequest request = Get(server.Url("/a"));
  request.credential = &token;
  const Result<HttpResponse> response = transport_.Send(request, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 307);
  EXPECT_EQ(response->Header("Location"), elsewhere.Url("/echo"));
  EXPECT_EQ(elsewhere.Requests(), 0U);
}

TEST(CurlTransportReuseTest, SequentialCallsShareOneConnection) {
  const LoopbackServer server(ServeEcho);
  CurlTransport transport({.user_agent = "test"});
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(transport.Send(Get(server.Url(i % 3 == 0 ? "/none" : "/echo")), {}));
  }
  EXPECT_EQ(server.Requests(), 20U);
  EXPECT_EQ(server.Connections(), 1U);
}

TEST(CurlTransportReuseTest, EightThreadsShareEightConnections) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 50;
  const LoopbackServer server([](httplib::Server& http) {
    http.Get(R"(/number/(\d+))", [](const httplib::Request& request, httplib::Response& response) {
      response.set_content("answer " + std::string(request.matches[1]), "text/plain");
    });
  });
  CurlTransport transport({.user_agent = "test"});
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.push_back(StartThread("client", [&, t] {
        for (int i = 0; i < kCalls; ++i) {
          const std::string number = std::to_string(t * 1000 + i);
          const Result<HttpResponse> response =
              transport.Send(Get(server.Url("/number/" + number)), {});
          if (response && response->body.Reveal() == "answer " + number) ++right;
        }
      }));
    }
  }
  EXPECT_EQ(right, kThreads * kCalls);
  EXPECT_LE(server.Connections(), static_cast<std::size_t>(kThreads));
}

}  // namespace
}  // namespace escagent
