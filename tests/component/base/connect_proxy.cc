#include "tests/component/base/connect_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.h"

namespace escagent::testing {
namespace {

// Copies what is there to read. False at the end of either side.
bool Relay(const pollfd& from, int to) {
  if (from.revents == 0) return true;
  std::array<char, 16384> buffer;
  const ssize_t n = read(from.fd, buffer.data(), buffer.size());
  if (n <= 0) return false;
  WriteAll(to, {buffer.data(), static_cast<std::size_t>(n)});
  return true;
}

}  // namespace

ConnectProxy::ConnectProxy(int tunnel_port)
    : server_([tunnel_port](int fd, const std::string& head) {
        if (!head.starts_with("CONNECT ")) {
          WriteAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nvia proxy");
        } else if (tunnel_port == 0) {
          WriteAll(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        } else {
          WriteAll(fd, "HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n");
          Tunnel(fd, tunnel_port);
        }
      }) {}

void ConnectProxy::Tunnel(int client, int port) {
  const UniqueFd server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<in_port_t>(port));
  if (connect(server.Get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return;
  std::array<pollfd, 2> fds = {{{client, POLLIN, 0}, {server.Get(), POLLIN, 0}}};
  while (poll(fds.data(), fds.size(), -1) > 0) {
    if (!Relay(fds[0], server.Get()) || !Relay(fds[1], client)) return;
  }
}

}  // namespace escagent::testing
