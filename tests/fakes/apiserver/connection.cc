#include "tests/fakes/apiserver/connection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace escagent::apiserver {
namespace {

// The events that came on a socket. 0 after the timeout (negative: none).
short Poll(int socket, short events, std::chrono::milliseconds timeout) {
  pollfd entry{.fd = socket, .events = events, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, static_cast<int>(timeout.count()));
  } while (ready < 0 && errno == EINTR);
  return ready > 0 ? entry.revents : short{0};
}

}  // namespace

Connection::Connection(UniqueFd socket, SSL_CTX* tls)
    : socket_(std::move(socket)), ssl_(tls == nullptr ? nullptr : SSL_new(tls), SSL_free) {
  const int on = 1;
  // Best effort both: without them the server is slower, or leaks a socket into a child process.
  ::setsockopt(socket_.Get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(socket_.Get(), F_SETFD, FD_CLOEXEC);
  const timeval limit{.tv_sec = kTimeout.count(), .tv_usec = 0};
  ::setsockopt(socket_.Get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket_.Get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (ssl_ != nullptr) SSL_set_fd(ssl_.get(), socket_.Get());
}

Connection::~Connection() {
  // Tells a TLS client that this is the end, not a truncation; an aborted answer stays one.
  if (ssl_ != nullptr && !aborted_ && SSL_is_init_finished(ssl_.get()) == 1) {
    SSL_shutdown(ssl_.get());
  }
}

bool Connection::Handshake() { return ssl_ == nullptr || SSL_accept(ssl_.get()) == 1; }

std::vector<std::string> Connection::Subject(int nid) const {
  std::vector<std::string> values;
  if (ssl_ == nullptr) return values;
  const std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(ssl_.get()),
                                                         X509_free);
  if (peer == nullptr) return values;
  X509_NAME* const subject = X509_get_subject_name(peer.get());
  for (int at = X509_NAME_get_index_by_NID(subject, nid, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, nid, at)) {
    const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    values.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                        static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return values;
}

std::string Connection::PeerName() const {
  const auto names = Subject(NID_commonName);
  return names.empty() ? std::string() : names.front();
}

std::vector<std::string> Connection::PeerOrganizations() const {
  return Subject(NID_organizationName);
}

bool Connection::AwaitRequest(std::chrono::milliseconds idle) {
  if (buffer_begin_ < buffer_end_) return true;
  if (ssl_ != nullptr && SSL_pending(ssl_.get()) > 0) return true;
  if (Poll(socket_.Get(), POLLIN, idle) == 0) return false;
  char byte = 0;
  return ::recv(socket_.Get(), &byte, 1, MSG_PEEK) > 0;
}

void Connection::AwaitEnd() { Poll(socket_.Get(), POLLRDHUP, std::chrono::milliseconds(-1)); }

bool Connection::IsClosed() const {
  return Poll(socket_.Get(), POLLRDHUP, std::chrono::milliseconds(0)) != 0;
}

void Connection::Shutdown() { ::shutdown(socket_.Get(), SHUT_RDWR); }

bool Connection::is_readable() const {
  return buffer_begin_ < buffer_end_ || (ssl_ != nullptr && SSL_pending(ssl_.get()) > 0) ||
         Poll(socket_.Get(), POLLIN, kTimeout) != 0;
}

bool Connection::is_writable() const {
  return !aborted_ && Poll(socket_.Get(), POLLOUT, kTimeout) != 0;
}

ssize_t Connection::ReceiveSome(char* data, std::size_t size) {
  if (ssl_ == nullptr) return ::recv(socket_.Get(), data, size, 0);
  return SSL_read(ssl_.get(), data, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
}

ssize_t Connection::SendSome(const char* data, std::size_t size) {
  if (ssl_ == nullptr) return ::send(socket_.Get(), data, size, MSG_NOSIGNAL);
  return SSL_write(ssl_.get(), data, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
}

ssize_t Connection::read(char* data, std::size_t size) {
  if (buffer_begin_ == buffer_end_) {
    const ssize_t received = ReceiveSome(buffer_.data(), buffer_.size());
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
    if (aborted_) return -1;
    const ssize_t count = SendSome(data + sent, size - sent);
    if (count <= 0) return -1;
    sent += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(size);
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace escagent::apiserver
