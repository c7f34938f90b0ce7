// What goes on working after DropPrivileges.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/curl_transport.h"
#include "base/mutex.h"
#include "base/process_memory.h"
#include "base/secret.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "tests/component/base/loopback_server.h"
#include "tests/component/base/sandbox_fixture.h"

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;

class SandboxWorksTest : public ::testing::Test {
 protected:
  SandboxWorksTest() {
    std::string pattern = ::testing::TempDir() + "sandbox_test.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~SandboxWorksTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(SandboxWorksTest, ThreadsAndTimers) {
  ExpectGood([] {
    RequireDropped();
    Mutex mutex;
    CondVar changed;
    int done = 0;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 8; ++i) {
        threads.push_back(StartThread("worker", [&] {
          const MutexLock lock(mutex);
          ++done;
          changed.NotifyAll();
        }));
      }
      const MutexLock lock(mutex);
      while (done < 8) changed.Wait(mutex);
      Require(!changed.WaitUntil(mutex, std::chrono::steady_clock::now() + milliseconds(1)),
              "a wait with a deadline");
    }
    const UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1000}};
    Require(timerfd_settime(timer.Get(), 0, &soon, nullptr) == 0, "a timer");
    const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{.events = EPOLLIN, .data = {}};
    Require(epoll_ctl(epoll.Get(), EPOLL_CTL_ADD, timer.Get(), &event) == 0, "epoll_ctl");
    Require(epoll_wait(epoll.Get(), &event, 1, 10000) == 1, "epoll_wait");
  });
}

TEST_F(SandboxWorksTest, Signals) {
  ExpectGood([] {
    RequireDropped();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    const UniqueFd signals(signalfd(-1, &set, SFD_CLOEXEC));
    Require(kill(getpid(), SIGTERM) == 0, "a signal to itself");
    signalfd_siginfo info{};
    Require(read(signals.Get(), &info, sizeof info) == sizeof info, "a signalfd");
  });
  const int status = StatusOfChild([] {
    RequireDropped();
    std::abort();
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << status;
}

TEST_F(SandboxWorksTest, Memory) {
  ExpectGood([] {
    RequireDropped();
    const UniqueFd memfd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    Require(ftruncate(memfd.Get(), 4096) == 0, "ftruncate");
    void* mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memfd.Get(), 0);
    Require(mapped != MAP_FAILED && munmap(mapped, 4096) == 0, "a mapped memfd");
    Require(fcntl(memfd.Get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0, "seals");
    const UniqueFd secret(static_cast<int>(syscall(SYS_memfd_secret, 0)));
    Require(secret || errno == ENOSYS, "memfd_secret, if the kernel has it");
    const Secret large{std::string(1 << 20, 'x')};
    Require(large.Reveal().size() == 1U << 20, "locked memory");
    TrimProcessMemory();
  });
}

TEST_F(SandboxWorksTest, Files) {
  ExpectGood([this] {
    RequireDropped();
    const std::string path = folder_ + "/file";
    Require(WriteFileAtomically(path, "content").has_value(), "writing a file");
    const Result<Secret> content = ReadFile(path);
    Require(content && content->Reveal() == "content", "reading a file");
    std::filesystem::create_directories(folder_ + "/a/b");
    std::filesystem::create_symlink("../file", folder_ + "/a/link");
    Require(std::filesystem::file_size(folder_ + "/a/link") == 7, "a symlink");
    Require(chmod(path.c_str(), 0440) == 0, "chmod");
    Require(std::filesystem::space(folder_).capacity > 0, "statfs");
    Require(std::filesystem::remove_all(folder_ + "/a") == 3, "removing a folder");
  });
}

TEST_F(SandboxWorksTest, LibrariesCanBeLoadedLate) {
  ExpectGood([] {
    RequireDropped();
    // One that no program here is linked with; the C library brings it.
    const void* library = dlopen("libnss_compat.so.2", RTLD_NOW);
    Require(library != nullptr, library == nullptr ? dlerror() : "");
  });
}

UniqueFd ListenOn(int family, const sockaddr* address, socklen_t size) {
  UniqueFd listener(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Require(listener && bind(listener.Get(), address, size) == 0, "bind");
  Require(listen(listener.Get(), 8) == 0, "listen");
  return listener;
}

// Sends a byte from a new connection to the accepted one.
void RequireConnection(const UniqueFd& listener, int family) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  Require(getsockname(listener.Get(), generic, &size) == 0, "getsockname");
  const UniqueFd client(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Require(connect(client.Get(), generic, size) == 0, "connect");
  const UniqueFd accepted(accept4(listener.Get(), nullptr, nullptr, SOCK_CLOEXEC));
  char byte = 0;
  Require(send(client.Get(), "x", 1, 0) == 1 && recv(accepted.Get(), &byte, 1, 0) == 1, "a byte");
}

TEST_F(SandboxWorksTest, Sockets) {
  ExpectGood([this] {
    RequireDropped();
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    (folder_ + "/socket").copy(local.sun_path, sizeof local.sun_path - 1);
    RequireConnection(ListenOn(AF_UNIX, reinterpret_cast<const sockaddr*>(&local), sizeof local),
                      AF_UNIX);
    sockaddr_in internet{};
    internet.sin_family = AF_INET;
    internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    RequireConnection(
        ListenOn(AF_INET, reinterpret_cast<const sockaddr*>(&internet), sizeof internet), AF_INET);
    std::array<int, 2> pair{};
    Require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) == 0, "socketpair");
    const UniqueFd udp(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    Require(udp || errno == EAFNOSUPPORT, "a UDP socket");
  });
}

TEST_F(SandboxWorksTest, NamesAreResolved) {
  // A name server that does not answer is not what this is about.
  setenv("RES_OPTIONS", "attempts:1 timeout:1", 1);
  ExpectGood([] {
    RequireDropped();
    const addrinfo hints{.ai_flags = AI_ADDRCONFIG,
                         .ai_family = AF_UNSPEC,
                         .ai_socktype = SOCK_STREAM,
                         .ai_protocol = 0,
                         .ai_addrlen = 0,
                         .ai_addr = nullptr,
                         .ai_canonname = nullptr,
                         .ai_next = nullptr};
    addrinfo* found = nullptr;
    Require(getaddrinfo("localhost", "443", &hints, &found) == 0, "localhost is found");
    freeaddrinfo(found);
    // This goes to the name servers.
    const int result = getaddrinfo("no-such-host.invalid", "443", &hints, &found);
    Require(result == EAI_NONAME || result == EAI_AGAIN, gai_strerror(result));
    ifaddrs* interfaces = nullptr;
    Require(getifaddrs(&interfaces) == 0 && interfaces != nullptr, "getifaddrs");
    freeifaddrs(interfaces);
  });
}

TEST_F(SandboxWorksTest, HttpsByCurl) {
  const TestCertificate authority = TestCertificate::Authority("test authority");
  const std::string authority_file = folder_ + "/ca.pem";
  ASSERT_TRUE(WriteFileAtomically(authority_file, authority.Pem()));
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  // The child first, as the server has threads.
  const pid_t child = fork();
  if (child == 0) {
    BecomeNobody();
    RequireDropped();
    int port = 0;
    Require(read(reader.Get(), &port, sizeof port) == sizeof port, "a server");
    CurlTransport transport({.user_agent = "test", .tls = {.ca_file = authority_file}});
    for (const char* host : {"127.0.0.1", "localhost"}) {
      HttpRequest request;
      request.url = std::string("https://") + host + ":" + std::to_string(port) + "/a";
      const Result<HttpResponse> response = transport.Send(request, {});
      Require(response.has_value(), response ? "" : response.error().ToString());
      Require(response->body.Reveal() == "fine", "the answer");
    }
    _exit(0);
  }
  const LoopbackServer server(TestCertificate::Server(authority, "IP:127.0.0.1,DNS:localhost"),
                              [](httplib::Server& routes) {
                                routes.Get(
                                    "/a", [](const httplib::Request&, httplib::Response& response) {
                                      response.set_content("fine", "text/plain");
                                    });
                              });
  const int port = server.port();
  ASSERT_EQ(write(writer.Get(), &port, sizeof port), static_cast<ssize_t>(sizeof port));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace escagent::testing
