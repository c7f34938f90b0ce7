#include "tests/fakes/apiserver/http_server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/listen_address.h"
#include "base/thread.h"
#include "esc/devserver/connection_threads.h"

namespace escagent::apiserver {
namespace {

constexpr std::chrono::seconds kIdle{180};
// As the real server: 3 MiB.
constexpr std::size_t kMaxRequestBody = std::size_t{3} << 20;
constexpr std::size_t kMaxConnections = 8192;
// Connections that wait to be accepted; httplib's own 5 drop some when hundreds of clients start.
constexpr int kBacklog = 1024;

// The connection that the calling thread serves.
thread_local Connection* current_connection = nullptr;

void FixRequest(httplib::Request& request) {
  // httplib would compress, and gather the events of a watch for it.
  request.headers.erase("Accept-Encoding");
  // httplib waits for the end of the connection when a request that may have a body has no length.
  if (request.method != "GET" && request.method != "HEAD" &&
      !request.has_header("Content-Length") && !request.has_header("Transfer-Encoding")) {
    request.headers.emplace("Content-Length", "0");
  }
}

}  // namespace

HttpServer::HttpServer(SSL_CTX* tls, Dispatcher dispatcher)
    : tls_(tls), dispatcher_(std::move(dispatcher)) {
  const auto dispatch = [this](const httplib::Request& request, httplib::Response& response) {
    dispatcher_(request, response, *current_connection);
  };
  Get(".*", dispatch);  // and HEAD
  Options(".*", dispatch);
  Post(".*", dispatch);
  Put(".*", dispatch);
  Patch(".*", dispatch);
  Delete(".*", dispatch);
  set_payload_max_length(kMaxRequestBody);
  set_keep_alive_max_count(std::numeric_limits<int>::max());
  set_keep_alive_timeout(kIdle.count());
  // httplib's default is SO_REUSEPORT, which lets two servers share a port unnoticed.
  set_socket_options([](socket_t listener) {
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::fcntl(listener, F_SETFD, FD_CLOEXEC);
  });
  new_task_queue = [this]() -> httplib::TaskQueue* {
    // httplib runs from here on: before, its stop() would do nothing.
    MutexLock lock(mutex_);
    listening_ = true;
    changed_.NotifyAll();
    return std::make_unique<devserver::ConnectionThreads>(kMaxConnections).release();
  };
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& listen, SSL_CTX* tls,
                                                      Dispatcher dispatcher) {
  std::unique_ptr<HttpServer> server(new HttpServer(tls, std::move(dispatcher)));
  ESC_RETURN_IF_ERROR(server->Bind(listen));
  server->Listen();
  return server;
}

Status HttpServer::Bind(const std::string& listen) {
  ESC_ASSIGN_OR_RETURN(const ListenAddress address, ListenAddress::Parse(listen));
  host_ = address.host;
  const bool bound =
      address.port == 0 ? (port_ = bind_to_any_port(host_)) > 0 : bind_to_port(host_, address.port);
  if (!bound) {
    return Unavailable("listen on " + listen +
                       ": cannot bind; is the port in use, or the host not one of this machine?");
  }
  if (address.port != 0) port_ = address.port;
  // On a socket that listens already this only sets the backlog.
  ::listen(svr_sock_, kBacklog);
  return {};
}

void HttpServer::Listen() {
  thread_ = StartThread("apiserver", [this] {
    listen_after_bind();
    MutexLock lock(mutex_);
    listening_ = true;
    changed_.NotifyAll();
  });
  MutexLock lock(mutex_);
  while (!listening_) changed_.Wait(mutex_);
}

HttpServer::~HttpServer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    // shutdown(2) does not block, and under the lock no connection goes away.
    for (Connection* connection : connections_) connection->Shutdown();
  }
  stop();
  if (thread_.joinable()) thread_.join();
}

bool HttpServer::process_and_close_socket(socket_t sock) {
  Connection connection(UniqueFd(sock), tls_);
  if (!Register(connection)) return false;
  current_connection = &connection;
  if (connection.Handshake()) Serve(connection);
  current_connection = nullptr;
  Unregister(connection);
  return true;
}

void HttpServer::Serve(Connection& connection) {
  bool served = true;
  bool closed = false;
  while (served && !closed && !connection.aborted() && connection.AwaitRequest(kIdle)) {
    served = process_request(connection, /*close_connection=*/false, closed, FixRequest);
  }
}

bool HttpServer::Register(Connection& connection) {
  MutexLock lock(mutex_);
  if (stopping_) return false;
  connections_.insert(&connection);
  return true;
}

void HttpServer::Unregister(Connection& connection) {
  MutexLock lock(mutex_);
  connections_.erase(&connection);
}

}  // namespace escagent::apiserver
