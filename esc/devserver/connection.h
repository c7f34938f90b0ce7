#pragma once

#include <httplib.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>

#include "base/unique_fd.h"

namespace escagent::devserver {

// One TCP connection of the server, as the stream that httplib reads requests from and writes
// responses to. httplib's own stream looks at an idle connection every 10 ms and cannot be ended
// early. Used by one thread; Shutdown() from any.
class Connection final : public httplib::Stream {
 public:
  // How long one read or write may take.
  static constexpr std::chrono::seconds kTimeout{10};

  explicit Connection(UniqueFd socket);
  ~Connection() override = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Waits until a request begins. False when the peer closed, after Shutdown(), or after `idle`.
  bool AwaitRequest(std::chrono::milliseconds idle);
  // Waits until the peer closes the connection, or Shutdown().
  void AwaitEnd();
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
  socket_t socket() const override { return socket_.Get(); }

 private:
  UniqueFd socket_;
  bool aborted_ = false;
  // httplib reads the head of a request byte by byte.
  std::array<char, 4096> buffer_;
  std::size_t buffer_begin_ = 0;
  std::size_t buffer_end_ = 0;
};

}  // namespace escagent::devserver
