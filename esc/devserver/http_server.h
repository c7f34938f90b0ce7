#pragma once

#include <httplib.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/mutex.h"
#include "base/result.h"
#include "esc/devserver/connection.h"

namespace escagent::devserver {

// httplib's server with every request going to one function, connections that live on while idle,
// and a stop that waits for nobody: see Connection and ConnectionThreads.
class HttpServer final : private httplib::Server {
 public:
  // Called on the connection's thread.
  using Dispatcher = std::function<void(const httplib::Request&, httplib::Response&, Connection&)>;

  // Listens on "host:port" ("127.0.0.1:0": any free port) until destroyed.
  static Result<std::unique_ptr<HttpServer>> Start(const std::string& listen,
                                                   Dispatcher dispatcher);
  // Ends every connection, also those in a request, and joins the threads.
  ~HttpServer() override;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::string& host() const { return host_; }
  int port() const { return port_; }

 private:
  explicit HttpServer(Dispatcher dispatcher);

  Status Bind(const std::string& listen);
  void Listen();
  void AwaitListening();
  bool process_and_close_socket(socket_t sock) override;
  // False when the server is stopping.
  bool Register(Connection& connection);
  void Unregister();
  Connection* Current();

  const Dispatcher dispatcher_;
  std::string host_;
  int port_ = 0;
  Mutex mutex_;
  CondVar changed_;
  bool listening_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  // The open connections by the thread that serves them.
  std::unordered_map<std::thread::id, Connection*> connections_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace escagent::devserver
