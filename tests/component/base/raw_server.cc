#include "tests/component/base/raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/thread.h"

namespace escagent::testing {

Listener ListenOnLoopback(int backlog) {
  Listener listener;
  listener.fd.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.fd.Get(), generic, size) != 0 || listen(listener.fd.Get(), backlog) != 0 ||
      getsockname(listener.fd.Get(), generic, &size) != 0) {
    std::perror("listen on loopback");
    std::abort();
  }
  listener.port = ntohs(address.sin_port);
  return listener;
}

std::string ReadRequestHead(int fd) {
  std::string head;
  char c = 0;
  while (!head.ends_with("\r\n\r\n")) {
    if (read(fd, &c, 1) != 1) return "";
    head += c;
  }
  return head;
}

void WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

RawServer::RawServer(Handler handler)
    : handler_(std::move(handler)), listener_(ListenOnLoopback(64)) {
  acceptor_ = StartThread("accept", [this] { AcceptLoop(); });
}

RawServer::~RawServer() {
  shutdown(listener_.fd.Get(), SHUT_RDWR);
  acceptor_.join();
  for (const Connection& connection : connections_) shutdown(connection.fd.Get(), SHUT_RDWR);
}

std::string RawServer::Url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port()) + path;
}

std::vector<std::string> RawServer::Heads() const {
  const MutexLock lock(mutex_);
  return heads_;
}

void RawServer::AcceptLoop() {
  while (true) {
    UniqueFd fd(accept4(listener_.fd.Get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return;
    const int raw = fd.Get();
    connections_.push_back({std::move(fd), StartThread("serve", [this, raw] { Serve(raw); })});
  }
}

void RawServer::Serve(int fd) {
  std::string head = ReadRequestHead(fd);
  if (head.empty()) return;
  {
    const MutexLock lock(mutex_);
    heads_.push_back(head);
  }
  handler_(fd, head);
  // The descriptor itself stays open until the destructor, so that its number is not used again.
  shutdown(fd, SHUT_RDWR);
}

}  // namespace escagent::testing
