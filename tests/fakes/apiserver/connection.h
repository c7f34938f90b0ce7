#pragma once

#include <httplib.h>
#include <openssl/ssl.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/unique_fd.h"

namespace escagent::apiserver {

// One connection of the server, plain or TLS, as the stream that httplib reads requests from and
// writes responses to. Used by one thread; Shutdown() from any.
class Connection final : public httplib::Stream {
 public:
  // How long one read or write may take.
  static constexpr std::chrono::seconds kTimeout{10};

  // `tls` is borrowed; null: plain.
  Connection(UniqueFd socket, SSL_CTX* tls);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The TLS handshake; true at once without TLS.
  bool Handshake();
  // The subject of the client's certificate, which was verified: its common name, and its
  // organizations. Empty without one.
  std::string PeerName() const;
  std::vector<std::string> PeerOrganizations() const;

  // Waits until a request begins. False when the peer closed, after Shutdown(), or after `idle`.
  bool AwaitRequest(std::chrono::milliseconds idle);
  // Waits until the peer closes the connection, or Shutdown().
  void AwaitEnd();
  // Whether the peer has closed, or Shutdown() was called. Does not wait.
  bool IsClosed() const;
  // Nothing more is sent: what is left of the response is dropped.
  void Abort() { aborted_ = true; }
  bool aborted() const { return aborted_; }
  // Ends every wait and transfer. The socket stays open until destruction.
  void Shutdown();

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* data, std::size_t size) override;
  ssize_t write(const char* data, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  // Not the number of the descriptor: httplib refuses those of FD_SETSIZE and above, though it does
  // nothing with this one.
  socket_t socket() const override { return 0; }

 private:
  std::vector<std::string> Subject(int nid) const;
  ssize_t ReceiveSome(char* data, std::size_t size);
  ssize_t SendSome(const char* data, std::size_t size);

  UniqueFd socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool aborted_ = false;
  // httplib reads the head of a request byte by byte.
  std::array<char, 4096> buffer_;
  std::size_t buffer_begin_ = 0;
  std::size_t buffer_end_ = 0;
};

}  // namespace escagent::apiserver
