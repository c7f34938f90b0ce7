#include "esc/devserver/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace escagent::devserver {
namespace {

// Waits for events on a socket. False after the timeout (negative: none).
bool Poll(int socket, short events, std::chrono::milliseconds timeout) {
  pollfd entry{.fd = socket, .events = events, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, static_cast<int>(timeout.count()));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

void Describe(const sockaddr_storage& address, std::string& ip, int& port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    port = ntohs(v6.sin6_port);
  }
  ip = text.data();
}

}  // namespace

Connection::Connection(UniqueFd socket) : socket_(std::move(socket)) {
  const int on = 1;
  // Best effort both: without them the server is slower, or leaks a socket into a child process.
  ::setsockopt(socket_.Get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(socket_.Get(), F_SETFD, FD_CLOEXEC);
}

bool Connection::AwaitRequest(std::chrono::milliseconds idle) {
  if (buffer_begin_ < buffer_end_) return true;
  if (!Poll(socket_.Get(), POLLIN, idle)) return false;
  char byte = 0;
  return ::recv(socket_.Get(), &byte, 1, MSG_PEEK) > 0;
}

void Connection::AwaitEnd() { Poll(socket_.Get(), POLLRDHUP, std::chrono::milliseconds(-1)); }

void Connection::Shutdown() { ::shutdown(socket_.Get(), SHUT_RDWR); }

bool Connection::is_readable() const {
  return buffer_begin_ < buffer_end_ || Poll(socket_.Get(), POLLIN, kTimeout);
}

bool Connection::is_writable() const { return !aborted_ && Poll(socket_.Get(), POLLOUT, kTimeout); }

ssize_t Connection::read(char* data, std::size_t size) {
  if (buffer_begin_ == buffer_end_) {
    if (!is_readable()) return -1;
    const ssize_t received = ::recv(socket_.Get(), buffer_.data(), buffer_.size(), 0);
    if (received <= 0) return received;
    buffer_begin_ = 0;
    buffer_end_ = static_cast<std::size_t>(received);
  }
  const std::size_t count = std::min(size, buffer_end_ - buffer_begin_);
  std::memcpy(data, buffer_.data() + buffer_begin_, count);
  buffer_begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* data, std::size_t size) {
  // All of it: httplib does not look whether a part is missing.
  for (std::size_t sent = 0; sent < size;) {
    if (!is_writable()) return -1;
    const ssize_t count = ::send(socket_.Get(), data + sent, size - sent, MSG_NOSIGNAL);
    if (count <= 0) return -1;
    sent += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(size);
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getpeername(socket_.Get(), reinterpret_cast<sockaddr*>(&address), &size);
  Describe(address, ip, port);
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(socket_.Get(), reinterpret_cast<sockaddr*>(&address), &size);
  Describe(address, ip, port);
}

}  // namespace escagent::devserver
