#include "base/curl_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.h"
#include "tests/component/base/loopback_server.h"
#include "tests/component/base/raw_server.h"
#include "tests/component/base/stream_recorder.h"
#include "tests/component/base/test_certificate.h"

namespace escagent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::LoopbackServer;
using ::testing::Not;
using Recorder = testing::StreamRecorder;
using testing::RawServer;
using testing::TestCertificate;
using testing::WriteAll;

constexpr seconds kPatience{30};
constexpr std::string_view kChunked =
    "HTTP/1.1 200 OK\r\nX-Marked: yes\r\nTransfer-Encoding: chunked\r\n\r\n";

void WriteChunk(int fd, const std::string& text) {
  char size[16];
  const int n = std::snprintf(size, sizeof(size), "%zx\r\n", text.size());
  WriteAll(fd, std::string(size, static_cast<std::size_t>(n)) + text + "\r\n");
}

// Blocks until the peer, or the end of the test, closes the connection.
void WaitForClose(int fd) {
  char c = 0;
  while (read(fd, &c, 1) > 0) {
  }
}

HttpRequest Get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.connect_timeout = kPatience;
  request.total_timeout = milliseconds(0);
  return request;
}

class CurlStreamsTest : public ::testing::Test {
 protected:
  std::shared_ptr<Recorder> Open(const HttpRequest& request, milliseconds idle = {}) {
    auto recorder = std::make_shared<Recorder>();
    last_ = streams_.Open(request, idle, recorder);
    return recorder;
  }

  CurlStreams streams_{{.user_agent = "test"}};
  HttpStreams::StreamId last_ = 0;
};

TEST_F(CurlStreamsTest, TellsBytesAsTheyComeAndTheEnd) {
  std::shared_ptr<Recorder> recorder;
  std::atomic<bool> seen = false;
  const RawServer server([&](int fd, const std::string&) {
    WriteAll(fd, kChunked);
    WriteChunk(fd, "one ");
    seen.wait(false);  // the client has the first part before the second is sent
    WriteChunk(fd, "two");
    WriteAll(fd, "0\r\n\r\n");
  });
  recorder = Open(Get(server.Url("/a")));
  EXPECT_TRUE(recorder->AwaitBody("one "));
  EXPECT_EQ(recorder->status(), 200);
  EXPECT_EQ(recorder->marked(), "yes");
  EXPECT_FALSE(recorder->ended());
  seen = true;
  seen.notify_all();
  EXPECT_TRUE(recorder->AwaitEnd());
  EXPECT_EQ(recorder->body(), "one two");
}

TEST_F(CurlStreamsTest, SendsWhatTheRequestSays) {
  const RawServer server([](int fd, const std::string& head) {
    WriteAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(head.size()) + "\r\n\r\n");
    WriteAll(fd, head);
  });
  HttpRequest request = Get(server.Url("/a?watch=1"));
  request.headers = {{"Accept", "application/json"}};
  request.authorization_scheme = "Bearer";
  std::shared_ptr<Recorder> recorder;
  {
    const Secret token(std::string_view("borrowed-for-the-call"));
    request.credential = &token;
    recorder = Open(request);
    request.credential = nullptr;
  }
  EXPECT_TRUE(recorder->AwaitEnd());
  EXPECT_THAT(recorder->body(), HasSubstr("GET /a?watch=1 HTTP/1.1"));
  EXPECT_THAT(recorder->body(), HasSubstr("Accept: application/json"));
  EXPECT_THAT(recorder->body(), HasSubstr("Authorization: Bearer borrowed-for-the-call"));
}

TEST_F(CurlStreamsTest, AnswersOfAnyStatusHaveABody) {
  const RawServer server([](int fd, const std::string&) {
    WriteAll(fd, "HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone");
  });
  const auto recorder = Open(Get(server.Url("/a")));
  EXPECT_TRUE(recorder->AwaitEnd());
  EXPECT_EQ(recorder->status(), 410);
  EXPECT_EQ(recorder->body(), "gone");
}

TEST_F(CurlStreamsTest, HundredsAtOnce) {
  constexpr int kStreams = 200;
  std::atomic<bool> go = false;
  const RawServer server([&](int fd, const std::string&) {
    WriteAll(fd, kChunked);
    go.wait(false);
    WriteChunk(fd, "data");
    WriteAll(fd, "0\r\n\r\n");
  });
  std::vector<std::shared_ptr<Recorder>> recorders;
  for (int i = 0; i < kStreams; ++i) recorders.push_back(Open(Get(server.Url("/a"))));
  for (const auto& recorder : recorders) {
    EXPECT_TRUE(recorder->AwaitResponse());
  }
  go = true;
  go.notify_all();
  for (const auto& recorder : recorders) {
    EXPECT_TRUE(recorder->AwaitEnd());
    EXPECT_EQ(recorder->body(), "data");
  }
}

TEST_F(CurlStreamsTest, FailuresEndAStreamWithTheirCause) {
  const RawServer truncating([](int fd, const std::string&) {
    WriteAll(fd, kChunked);
    WriteChunk(fd, "canary");
  });
  Status end = Open(Get(truncating.Url("/a?q=canary")))->AwaitEnd();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::kUnavailable);
  EXPECT_THAT(end.error().message, HasSubstr("GET " + truncating.Url("/a:")));
  EXPECT_THAT(end.error().message, Not(HasSubstr("canary")));

  end = Open(Get("http://esc.example.test/a"))->AwaitEnd();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::kInvalidArgument);

  int port = 0;
  {
    const testing::Listener listener = testing::ListenOnLoopback(1);
    port = listener.port;
  }
  end = Open(Get("http://127.0.0.1:" + std::to_string(port) + "/a"))->AwaitEnd();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::kUnavailable);
}

TEST_F(CurlStreamsTest, ASilentServerIsGivenUp) {
  const RawServer server([](int fd, const std::string&) {
    WriteAll(fd, kChunked);
    WriteChunk(fd, "one");
    WaitForClose(fd);
  });
  const auto recorder = Open(Get(server.Url("/a")), milliseconds(200));
  const Status end = recorder->AwaitEnd();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::kUnavailable);
  EXPECT_THAT(end.error().message, HasSubstr("nothing received for 200 ms"));
  EXPECT_EQ(recorder->body(), "one");
}

TEST_F(CurlStreamsTest, TotalTimeoutIsUntilTheHeaders) {
  const RawServer silent([](int fd, const std::string&) { WaitForClose(fd); });
  HttpRequest request = Get(silent.Url("/a"));
  request.total_timeout = milliseconds(200);
  const Status end = Open(request)->AwaitEnd();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::kDeadlineExceeded);

  // Once the headers are there it does not count.
  std::atomic<bool> go = false;
  const RawServer slow([&](int fd, const std::string&) {
    WriteAll(fd, kChunked);
    go.wait(false);
    WriteChunk(fd, "late");
    WriteAll(fd, "0\r\n\r\n");
  });
  request.url = slow.Url("/a");
  request.total_timeout = kPatience;
  const auto recorder = Open(request);
  EXPECT_TRUE(recorder->AwaitResponse());
  go = true;
  go.notify_all();
  EXPECT_TRUE(recorder->AwaitEnd());
}

TEST_F(CurlStreamsTest, CloseWaitsForTheCallThatIsRunning) {
  const RawServer server([](int fd, const std::string&) {
    WriteAll(fd, kChunked);
    for (int i = 0; i < 100; ++i) WriteChunk(fd, "x");
    WaitForClose(fd);
  });
  std::atomic<bool> in_call = false;
  std::atomic<bool> leave = false;
  std::atomic<bool> closed = false;
  std::atomic<int> calls_after = 0;
  auto recorder = std::make_shared<Recorder>();
  recorder->on_data = [&](std::string_view) {
    if (closed) ++calls_after;
    in_call = true;
    in_call.notify_all();
    leave.wait(false);
    EXPECT_FALSE(closed) << "Close returned while the handler was called";
  };
  const auto id = streams_.Open(Get(server.Url("/a")), {}, recorder);
  in_call.wait(false);
  const auto closer = StartThread("closer", [&] {
    streams_.Close(id);
    closed = true;
    closed.notify_all();
  });
  leave = true;
  leave.notify_all();
  closed.wait(false);
  // A later stream has been served: nothing of the closed one came in between.
  const RawServer other([](int fd, const std::string&) {
    WriteAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  EXPECT_TRUE(Open(Get(other.Url("/b")))->AwaitEnd());
  EXPECT_EQ(calls_after, 0);
  EXPECT_FALSE(recorder->ended());
}

TEST_F(CurlStreamsTest, CloseByTheHandler) {
  const RawServer server([](int fd, const std::string&) {
    WriteAll(fd, kChunked);
    for (int i = 0; i < 100; ++i) WriteChunk(fd, "x");
    WaitForClose(fd);
  });
  auto recorder = std::make_shared<Recorder>();
  std::atomic<HttpStreams::StreamId> id = 0;
  std::atomic<int> calls = 0;
  recorder->on_data = [&](std::string_view) {
    id.wait(0);
    streams_.Close(id);
    ++calls;
    calls.notify_all();
  };
  id = streams_.Open(Get(server.Url("/a")), {}, recorder);
  id.notify_all();
  calls.wait(0);
  EXPECT_FALSE(Open(Get("http://127.0.0.1:1/"))->AwaitEnd());
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(recorder->ended());
}

TEST_F(CurlStreamsTest, CloseBeforeItBeganAndUnknownIds) {
  streams_.Close(12345);
  for (int i = 0; i < 50; ++i) {
    const auto recorder = Open(Get("http://127.0.0.1:1/"));
    streams_.Close(last_);
    streams_.Close(last_);
  }
  EXPECT_FALSE(Open(Get("http://127.0.0.1:1/"))->AwaitEnd());
}

TEST(CurlStreamsEndTest, DestructionEndsOpenStreamsWithoutCalls) {
  const RawServer server([](int fd, const std::string&) {
    WriteAll(fd, kChunked);
    WriteChunk(fd, "x");
    WaitForClose(fd);
  });
  std::vector<std::shared_ptr<Recorder>> recorders;
  {
    CurlStreams streams({.user_agent = "test"});
    for (int i = 0; i < 20; ++i) {
      recorders.push_back(std::make_shared<Recorder>());
      streams.Open(Get(server.Url("/a")), {}, recorders.back());
    }
    for (const auto& recorder : recorders) EXPECT_TRUE(recorder->AwaitBody("x"));
  }
  for (const auto& recorder : recorders) EXPECT_FALSE(recorder->ended());
}

TEST(CurlStreamsEndTest, OpenAndCloseFromManyThreads) {
  const RawServer server([](int fd, const std::string&) {
    WriteAll(fd, kChunked);
    while (send(fd, "1\r\nx\r\n", 6, MSG_NOSIGNAL) > 0) {
    }
  });
  CurlStreams streams({.user_agent = "test"});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.push_back(StartThread("opener", [&] {
      for (int i = 0; i < 20; ++i) {
        auto recorder = std::make_shared<Recorder>();
        const auto id = streams.Open(Get(server.Url("/a")), {}, recorder);
        EXPECT_TRUE(recorder->AwaitResponse());
        streams.Close(id);
        EXPECT_FALSE(recorder->ended());
      }
    }));
  }
}

TEST(CurlStreamsTlsTest, ClientCertificate) {
  const TestCertificate authority = TestCertificate::Authority("test authority");
  const TestCertificate client = TestCertificate::Client(authority, "node-1");
  const LoopbackServer server(
      TestCertificate::Server(authority, "IP:127.0.0.1"),
      [](httplib::Server& http) {
        http.Get("/a", [](const httplib::Request&, httplib::Response& response) {
          response.set_content("fine", "text/plain");
        });
      },
      &authority);
  CurlStreams streams({.user_agent = "test",
                       .tls = {.ca_pem = authority.Pem(),
                               .certificate_pem = client.Pem(),
                               .key_pem = std::make_shared<const Secret>(client.KeyPem())}});
  for (int i = 0; i < 3; ++i) {
    auto recorder = std::make_shared<Recorder>();
    streams.Open(Get(server.Url("/a")), {}, recorder);
    const Status end = recorder->AwaitEnd();
    EXPECT_TRUE(end) << end.error().message;
    EXPECT_EQ(recorder->body(), "fine");
  }
  EXPECT_THAT(server.Clients(), ::testing::ElementsAre("node-1", "node-1", "node-1"));
  EXPECT_EQ(server.Connections(), 1U);
}

}  // namespace
}  // namespace escagent
