#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <list>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/curl_transport.h"
#include "base/unique_fd.h"
#include "tests/component/base/loopback_server.h"
#include "tests/component/base/raw_server.h"

// What CurlTransport does when there is no whole answer: the right code, in time, with an error
// that shows nothing secret, and able to send the next request.

namespace escagent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using testing::Listener;
using testing::ListenOnLoopback;
using testing::LoopbackServer;
using ::testing::Not;
using testing::RawServer;
using testing::WriteAll;

// Blocks until the peer, or the end of the test, closes the connection.
void WaitForClose(int fd) {
  char c = 0;
  while (read(fd, &c, 1) > 0) {
  }
}

// Disconnecting a socket, instead of closing it, sends a reset.
void Reset(int fd) {
  const sockaddr nothing = {.sa_family = AF_UNSPEC, .sa_data = {}};
  connect(fd, &nothing, sizeof(nothing));
}

// A connection to the port; with SOCK_NONBLOCK in `flags` perhaps only the attempt.
UniqueFd Connect(int port, int flags) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<in_port_t>(port));
  connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return fd;
}

class CurlTransportFailureTest : public ::testing::Test {
 protected:
  CurlTransportFailureTest() {
    // Marked, so that a leak into an error is seen.
    request_.method = "POST";
    request_.credential = &token_;
    request_.body = Secret(std::string_view("{\"body\":\"canary-body\"}"));
    request_.headers = {{"X-Marked", "canary-header"}};
    request_.connect_timeout = seconds(30);
    request_.total_timeout = seconds(30);
  }

  // Sends to `url` + "?q=canary-query", expects a failure and checks what is true of every one.
  Error Fail(const std::string& url, std::stop_token stop = {}) {
    request_.url = url + "?q=canary-query";
    const Result<HttpResponse> response = transport_.Send(request_, std::move(stop));
    if (response) {
      ADD_FAILURE() << "answered with status " << response->status;
      return {};
    }
    EXPECT_THAT(response.error().message, Not(HasSubstr("canary")));
    EXPECT_THAT(response.error().message, Not(HasSubstr("q=")));
    return response.error();
  }

  Error FailAgainst(RawServer::Handler handler) {
    const RawServer server(std::move(handler));
    Error error = Fail(server.Url("/open"));
    EXPECT_THAT(error.message, HasSubstr("POST " + server.Url("/open")));
    return error;
  }

  const LoopbackServer& Serve(const LoopbackServer::Setup& setup) {
    return servers_.emplace_back(setup);
  }

 private:
  // Before the transport: a server that stops waits for the connections that clients keep open.
  std::list<LoopbackServer> servers_;

 protected:
  CurlTransport transport_{{.user_agent = "test"}};
  const Secret token_{std::string_view("canary-token")};
  HttpRequest request_;
};

TEST_F(CurlTransportFailureTest, NobodyListens) {
  int port = 0;
  {
    const Listener listener = ListenOnLoopback(1);
    port = listener.port;
  }
  const Error error = Fail("http://127.0.0.1:" + std::to_string(port) + "/open");
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("POST http://127.0.0.1:" + std::to_string(port) + "/open"));
}

TEST_F(CurlTransportFailureTest, ConnectTimeout) {
  // Nobody accepts: once the queue of the smallest backlog is full, the kernel drops further SYNs.
  const Listener listener = ListenOnLoopback(0);
  const UniqueFd first = Connect(listener.port, 0);
  const UniqueFd second = Connect(listener.port, SOCK_NONBLOCK);
  request_.connect_timeout = milliseconds(200);
  const auto start = steady_clock::now();
  const Error error = Fail("http://127.0.0.1:" + std::to_string(listener.port) + "/open");
  EXPECT_LT(steady_clock::now() - start, seconds(10));
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("no connection within 200 ms"));
}

TEST_F(CurlTransportFailureTest, TotalTimeoutOfASilentServer) {
  request_.total_timeout = milliseconds(200);
  const auto start = steady_clock::now();
  const Error error = FailAgainst([](int fd, const std::string&) { WaitForClose(fd); });
  EXPECT_LT(steady_clock::now() - start, seconds(10));
  EXPECT_EQ(error.code, Code::kDeadlineExceeded);
  EXPECT_THAT(error.message, HasSubstr("200 ms"));
}

TEST_F(CurlTransportFailureTest, TotalTimeoutHoldsWhileBytesTrickle) {
  request_.total_timeout = milliseconds(300);
  const Error error = FailAgainst([](int fd, const std::string&) {
    WriteAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    // Each byte is an event; the peer's request body and then its close end the loop.
    timeval pause = {.tv_sec = 0, .tv_usec = 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
    char c = 0;
    while (read(fd, &c, 1) != 0) WriteAll(fd, "x");
  });
  EXPECT_EQ(error.code, Code::kDeadlineExceeded);
}

TEST_F(CurlTransportFailureTest, TruncatedBody) {
  EXPECT_EQ(FailAgainst([](int fd, const std::string&) {
              WriteAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncanary");
            }).code,
            Code::kUnavailable);
}

TEST_F(CurlTransportFailureTest, TruncatedChunk) {
  EXPECT_EQ(FailAgainst([](int fd, const std::string&) {
              WriteAll(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\ncanary");
            }).code,
            Code::kUnavailable);
}

TEST_F(CurlTransportFailureTest, LastChunkMissing) {
  EXPECT_EQ(FailAgainst([](int fd, const std::string&) {
              WriteAll(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ncanary\r\n");
            }).code,
            Code::kUnavailable);
}

TEST_F(CurlTransportFailureTest, ClosedWithoutAnAnswer) {
  EXPECT_EQ(FailAgainst([](int, const std::string&) {}).code, Code::kUnavailable);
}

TEST_F(CurlTransportFailureTest, ResetWithoutAnAnswer) {
  EXPECT_EQ(FailAgainst([](int fd, const std::string&) { Reset(fd); }).code, Code::kUnavailable);
}

TEST_F(CurlTransportFailureTest, ResetWithinTheBody) {
  EXPECT_EQ(FailAgainst([](int fd, const std::string&) {
              WriteAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncanary");
              Reset(fd);
            }).code,
            Code::kUnavailable);
}

TEST_F(CurlTransportFailureTest, NotHttp) {
  for (const std::string_view answer :
       {"canary: SSH-2.0-OpenSSH\r\n", "HTTP/1.1 canary\r\n\r\n", "HTTP/9.9 200 canary\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n"}) {
    const Error error = FailAgainst([answer](int fd, const std::string&) { WriteAll(fd, answer); });
    EXPECT_EQ(error.code, Code::kUnavailable) << answer;
  }
}

TEST_F(CurlTransportFailureTest, EndlessHeadersAreRefused) {
  const Error error = FailAgainst([](int fd, const std::string&) {
    WriteAll(fd, "HTTP/1.1 200 OK\r\n");
    const std::string header = "X-Canary: " + std::string(1000, 'c') + "\r\n";
    // 64 MiB, unless the client hangs up before.
    for (int i = 0; i < 65536 && send(fd, header.data(), header.size(), MSG_NOSIGNAL) > 0; ++i) {
    }
  });
  EXPECT_EQ(error.code, Code::kUnavailable);
}

TEST_F(CurlTransportFailureTest, BodyOverTheCap) {
  constexpr std::size_t kCap = std::size_t{16} << 20;
  const LoopbackServer& server = Serve([](httplib::Server& http) {
    http.Post("/fits", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(std::string(kCap, 'x'), "text/plain");
    });
    http.Post("/open", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(std::string(kCap + 1, 'x'), "text/plain");
    });
  });
  const Error error = Fail(server.Url("/open"));
  EXPECT_EQ(error.code, Code::kResourceExhausted);
  EXPECT_THAT(error.message, HasSubstr(std::to_string(kCap)));

  request_.url = server.Url("/fits");
  const Result<HttpResponse> response = transport_.Send(request_, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body.Size(), kCap);
}

TEST_F(CurlTransportFailureTest, CapHoldsWithoutAContentLength) {
  request_.max_body = 1000;
  const Error error = FailAgainst([](int fd, const std::string&) {
    WriteAll(fd, "HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x'));
  });
  EXPECT_EQ(error.code, Code::kResourceExhausted);
}

TEST_F(CurlTransportFailureTest, StopEndsACallUnderWay) {
  std::stop_source stop;
  const RawServer server([&stop](int fd, const std::string&) {
    stop.request_stop();
    WaitForClose(fd);
  });
  const auto start = steady_clock::now();
  const Error error = Fail(server.Url("/open"), stop.get_token());
  EXPECT_EQ(error.code, Code::kCancelled);
  EXPECT_LT(steady_clock::now() - start, seconds(10)) << "must not wait for the timeout";
}

TEST_F(CurlTransportFailureTest, StoppedBeforeTheCall) {
  std::stop_source stop;
  stop.request_stop();
  const RawServer server([](int fd, const std::string&) { WaitForClose(fd); });
  EXPECT_EQ(Fail(server.Url("/open"), stop.get_token()).code, Code::kCancelled);
  EXPECT_TRUE(server.Heads().empty());
}

TEST_F(CurlTransportFailureTest, TheNextCallIsFineAfterEachFailure) {
  const LoopbackServer& good = Serve([](httplib::Server& http) {
    http.Post("/open", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("fine", "text/plain");
    });
  });
  const RawServer bad([](int fd, const std::string&) {
    WriteAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncanary");
  });
  for (int i = 0; i < 5; ++i) {
    Fail(bad.Url("/open"));
    request_.url = good.Url("/open");
    const Result<HttpResponse> response = transport_.Send(request_, {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body.Reveal(), "fine");
  }
}

TEST_F(CurlTransportFailureTest, AKeptConnectionThatTheServerClosedIsReplaced) {
  const RawServer server([](int fd, const std::string&) {
    WriteAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
  });
  for (int i = 0; i < 5; ++i) {
    request_.url = server.Url("/open");
    const Result<HttpResponse> response = transport_.Send(request_, {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body.Reveal(), "fine");
  }
  EXPECT_EQ(server.Heads().size(), 5U);
}

// Nothing is sent when the request itself is bad.
class CurlTransportRefusalTest : public CurlTransportFailureTest {
 protected:
  Error Refuse(const std::string& url) {
    const Error error = Fail(url);
    EXPECT_EQ(error.code, Code::kInvalidArgument) << url << ": " << error.message;
    return error;
  }
};

TEST_F(CurlTransportRefusalTest, PlainHttpExceptToLoopback) {
  for (const std::string_view host :
       {"esc.example.test", "192.0.2.1", "10.0.0.1", "0.0.0.0", "[::]", "[2001:db8::1]",
        "127.0.0.1.example.test", "localhost.example.test", "127.example.test", "1.127.0.0.1"}) {
    const Error error = Refuse("http://" + std::string(host) + "/open");
    EXPECT_THAT(error.message, HasSubstr("plain http"));
  }
}

TEST_F(CurlTransportRefusalTest, PlainHttpToLoopbackByAnyOfItsNames) {
  const LoopbackServer& server = Serve([](httplib::Server& http) {
    http.Post("/open", [](const httplib::Request&, httplib::Response&) {});
  });
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    request_.url = "http://" + host + ":" + std::to_string(server.port()) + "/open";
    EXPECT_TRUE(transport_.Send(request_, {})) << host;
  }
  // Nobody listens there: not refused, only not reached.
  EXPECT_EQ(Fail("http://[::1]:" + std::to_string(server.port()) + "/open").code,
            Code::kUnavailable);
}

TEST_F(CurlTransportRefusalTest, OtherSchemes) {
  for (const std::string_view url : {"ftp://127.0.0.1/open", "file:///etc/passwd", "gopher://a/"}) {
    Refuse(std::string(url));
  }
}

TEST_F(CurlTransportRefusalTest, MalformedUrls) {
  for (const std::string_view url : {"", "/open", "https://", "127.0.0.1/open", "https://a:b/",
                                     "https://a:99999/", "https://a b/", "https://[::1/"}) {
    Refuse(std::string(url));
  }
}

TEST_F(CurlTransportRefusalTest, CredentialsInTheUrl) {
  Refuse("https://user:canary@esc.example.test/open");
  Refuse("https://canary@esc.example.test/open");
}

TEST_F(CurlTransportRefusalTest, LineBreaksAnywhere) {
  const RawServer server([](int fd, const std::string&) { WaitForClose(fd); });
  for (const std::string_view evil : {"a\r\nX-Evil: canary", "a\ncanary", "a\rcanary"}) {
    const std::string text(evil);
    Refuse(server.Url("/" + text));

    request_.headers = {{"X-Marked", text}};
    Refuse(server.Url("/open"));
    request_.headers = {{text, "value"}};
    Refuse(server.Url("/open"));
    request_.headers = {};

    const Secret token(std::string_view{evil});
    request_.credential = &token;
    Refuse(server.Url("/open"));
    request_.credential = &token_;

    request_.content_type = text;
    Refuse(server.Url("/open"));
    request_.content_type = "";

    request_.authorization_scheme = text;
    Refuse(server.Url("/open"));
    request_.authorization_scheme = "token";

    request_.method = text;
    Refuse(server.Url("/open"));
    request_.method = "POST";
  }
  const Secret nul(std::string_view("a\0canary", 8));
  request_.credential = &nul;
  Refuse(server.Url("/open"));
  EXPECT_TRUE(server.Heads().empty());
}

}  // namespace
}  // namespace escagent
