#include "agent/status/http_server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <utility>

#include "base/thread.h"

namespace escagent::status {
namespace {

// Besides the one that accepts. A probe takes milliseconds.
constexpr int kThreads = 1;
// Nobody else sends a body.
constexpr std::size_t kMaxBody = 4096;
constexpr std::size_t kMaxWebhook = 64 * 1024;

void AddProbe(httplib::Server& server, const char* path, std::function<Status()> check) {
  server.Get(path, [check = std::move(check)](const httplib::Request&, httplib::Response& answer) {
    const Status status = check();
    answer.status = status ? 200 : 503;
    answer.set_content(status ? "ok\n" : status.error().ToString() + "\n", "text/plain");
  });
}

void AddPage(httplib::Server& server, const char* path, const char* content_type,
             std::function<std::string()> content) {
  server.Get(path, [content_type, content = std::move(content)](const httplib::Request&,
                                                                httplib::Response& answer) {
    // For the page: it loads nothing, and nobody else's page may show it.
    answer.set_header("Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    answer.set_header("X-Content-Type-Options", "nosniff");
    answer.set_header("Cache-Control", "no-store");
    answer.set_content(content(), content_type);
  });
}

void AddWebhook(httplib::Server& server,
                std::function<int(const HttpServer::Webhook& webhook)> receive) {
  server.Post(
      "/webhooks/pulumi-esc",
      [receive = std::move(receive)](const httplib::Request& request, httplib::Response& answer) {
        answer.status = receive({.id = request.get_header_value("Pulumi-Webhook-ID"),
                                 .kind = request.get_header_value("Pulumi-Webhook-Kind"),
                                 .signature = request.get_header_value("Pulumi-Webhook-Signature"),
                                 .body = request.body});
        // Whoever is refused learns no more.
        answer.set_content(answer.status == 200 ? "ok\n" : "refused\n", "text/plain");
      });
}

}  // namespace

HttpServer::HttpServer() : server_(std::make_unique<httplib::Server>()) {}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(Options options) {
  std::unique_ptr<HttpServer> self(new HttpServer);
  httplib::Server& server = *self->server_;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  // httplib's default also sets SO_REUSEPORT, with which two agents would share a port unnoticed.
  server.set_socket_options([](socket_t fd) {
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  server.set_read_timeout(std::chrono::seconds(5));
  server.set_write_timeout(std::chrono::seconds(5));
  // An idle kept-alive connection holds a thread: scrapers may as well connect anew.
  server.set_keep_alive_max_count(1);
  server.set_payload_max_length(options.webhook ? kMaxWebhook : kMaxBody);
  AddProbe(server, "/healthz", std::move(options.healthy));
  AddProbe(server, "/readyz", std::move(options.ready));
  if (options.webhook) AddWebhook(server, std::move(options.webhook));
  AddPage(server, "/metrics", "text/plain; version=0.0.4", std::move(options.metrics));
  AddPage(server, "/status", "application/json", std::move(options.status_json));
  AddPage(server, "/", "text/html; charset=utf-8", std::move(options.status_page));

  const char* host = options.host.c_str();
  self->port_ = options.port == 0                         ? server.bind_to_any_port(host)
                : server.bind_to_port(host, options.port) ? options.port
                                                          : -1;
  if (self->port_ <= 0) {
    return Unavailable("listen on http://" + options.host + ":" + std::to_string(options.port) +
                       ": the address is in use or not this machine's; set --http-listen");
  }
  self->thread_ = StartThread("http", [&server] { server.listen_after_bind(); });
  return self;
}

HttpServer::~HttpServer() {
  if (thread_.joinable()) {
    // stop() before the accept loop runs would be lost.
    while (!server_->is_running()) std::this_thread::yield();
    server_->stop();
    thread_.join();
  }
}

}  // namespace escagent::status
