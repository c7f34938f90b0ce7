#pragma once

#include <string>
#include <vector>

#include "tests/component/base/raw_server.h"

namespace escagent::testing {

// An HTTP proxy on loopback that opens tunnels for CONNECT, whatever the host named, to one port of
// 127.0.0.1, and answers every other request itself ("200 via proxy").
class ConnectProxy {
 public:
  // With `tunnel_port` 0 every CONNECT is refused with 403.
  explicit ConnectProxy(int tunnel_port);

  std::string Url() const { return server_.Url(""); }
  // The first request head of each connection.
  std::vector<std::string> Heads() const { return server_.Heads(); }

 private:
  static void Tunnel(int client, int port);

  RawServer server_;
};

}  // namespace escagent::testing
