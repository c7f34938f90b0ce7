#include "esc/devserver/http_server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/listen_address.h"
#include "base/thread.h"
#include "esc/devserver/connection_threads.h"

namespace escagent::devserver {
namespace {

// Longer than clients keep idle connections, so that they close them and not we.
constexpr std::chrono::seconds kIdle{180};
constexpr std::size_t kMaxRequestBody = std::size_t{16} << 20;

// A request that announces no body has none (RFC 9112 section 6.3); httplib would wait for one.
void AnnounceBody(httplib::Request& request) {
  if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding")) {
    request.set_header("Content-Length", "0");
  }
}

}  // namespace

HttpServer::HttpServer(Dispatcher dispatcher) : dispatcher_(std::move(dispatcher)) {
  const auto dispatch = [this](const httplib::Request& request, httplib::Response& response) {
    dispatcher_(request, response, *Current());
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
    return std::make_unique<ConnectionThreads>().release();
  };
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& listen,
                                                      Dispatcher dispatcher) {
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(dispatcher)));
  ESC_RETURN_IF_ERROR(server->Bind(listen));
  server->Listen();
  return server;
}

Status HttpServer::Bind(const std::string& listen) {
  ESC_ASSIGN_OR_RETURN(const ListenAddress address, ListenAddress::Parse(listen));
  host_ = address.host;
  if (address.port == 0) {
    port_ = bind_to_any_port(host_);
    if (port_ > 0) return {};
  } else if (bind_to_port(host_, address.port)) {
    port_ = address.port;
    return {};
  }
  return Unavailable("listen on " + listen +
                     ": cannot bind; is the port in use, or the host not one of this machine?");
}

void HttpServer::Listen() {
  thread_ = StartThread("dev-server", [this] {
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
    for (const auto& [thread, connection] : connections_) connection->Shutdown();
  }
  stop();
  if (thread_.joinable()) thread_.join();
}

bool HttpServer::process_and_close_socket(socket_t sock) {
  Connection connection{UniqueFd(sock)};
  if (!Register(connection)) return false;
  bool served = true;
  bool closed = false;
  while (served && !closed && connection.AwaitRequest(kIdle)) {
    served = process_request(connection, /*close_connection=*/false, closed, AnnounceBody);
    if (connection.aborted()) break;
  }
  Unregister();
  return served;
}

bool HttpServer::Register(Connection& connection) {
  MutexLock lock(mutex_);
  if (stopping_) return false;
  connections_[std::this_thread::get_id()] = &connection;
  return true;
}

void HttpServer::Unregister() {
  MutexLock lock(mutex_);
  connections_.erase(std::this_thread::get_id());
}

Connection* HttpServer::Current() {
  MutexLock lock(mutex_);
  return connections_.at(std::this_thread::get_id());
}

}  // namespace escagent::devserver
