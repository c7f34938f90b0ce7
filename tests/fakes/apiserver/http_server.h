#pragma once

#include <httplib.h>
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/result.h"
#include "tests/fakes/apiserver/connection.h"

namespace escagent::apiserver {

// httplib's server with every request going to one function, plain or TLS, made for connections
// that stay: each has a thread for as long as it is open, of which there may be thousands, and a
// stop waits for nobody.
class HttpServer final : private httplib::Server {
 public:
  // Called on the connection's thread.
  using Dispatcher = std::function<void(const httplib::Request&, httplib::Response&, Connection&)>;

  // Listens on "host:port" ("127.0.0.1:0": any free port) until destroyed. `tls` is borrowed; null:
  // plain HTTP.
  static Result<std::unique_ptr<HttpServer>> Start(const std::string& listen, SSL_CTX* tls,
                                                   Dispatcher dispatcher);
  // Ends every connection, also those in a request, and joins the threads.
  ~HttpServer() override;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::string& host() const { return host_; }
  int port() const { return port_; }

 private:
  HttpServer(SSL_CTX* tls, Dispatcher dispatcher);

  Status Bind(const std::string& listen);
  void Listen();
  bool process_and_close_socket(socket_t sock) override;
  void Serve(Connection& connection);
  // False when the server is stopping.
  bool Register(Connection& connection);
  void Unregister(Connection& connection);

  SSL_CTX* const tls_;
  const Dispatcher dispatcher_;
  std::string host_;
  int port_ = 0;
  Mutex mutex_;
  CondVar changed_;
  bool listening_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::set<Connection*> connections_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace escagent::apiserver
