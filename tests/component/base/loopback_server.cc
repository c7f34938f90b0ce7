#include "tests/component/base/loopback_server.h"

#include <array>
#include <utility>

#include "base/thread.h"

namespace escagent::testing {

namespace {

// For the server, which frees it.
X509_STORE* StoreOf(const TestCertificate* authority) {
  if (authority == nullptr) return nullptr;
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, authority->x509());
  return store;
}

std::string ClientOf(const httplib::Request& request) {
  if (request.ssl == nullptr) return "";
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      SSL_get1_peer_certificate(request.ssl), X509_free);
  if (certificate == nullptr) return "";
  std::array<char, 256> name = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name.data(),
                            name.size());
  return name.data();
}

}  // namespace

LoopbackServer::LoopbackServer(const Setup& setup)
    : LoopbackServer(std::make_unique<httplib::Server>(), "http", setup) {}

LoopbackServer::LoopbackServer(const TestCertificate& certificate, const Setup& setup,
                               const TestCertificate* client_authority)
    : LoopbackServer(std::make_unique<httplib::SSLServer>(
                         certificate.x509(), certificate.private_key(), StoreOf(client_authority)),
                     "https", setup) {}

LoopbackServer::LoopbackServer(std::unique_ptr<httplib::Server> server, std::string scheme,
                               const Setup& setup)
    : server_(std::move(server)), scheme_(std::move(scheme)) {
  server_->new_task_queue = [] { return new httplib::ThreadPool(16); };
  server_->set_keep_alive_max_count(100000);
  server_->set_keep_alive_timeout(60);
  server_->set_tcp_nodelay(true);
  // Before the answer, so that who has that finds the request here.
  server_->set_pre_routing_handler([this](const httplib::Request& request, httplib::Response&) {
    const MutexLock lock(mutex_);
    client_ports_.insert(request.remote_port);
    ++requests_;
    clients_.push_back(ClientOf(request));
    return httplib::Server::HandlerResponse::Unhandled;
  });
  setup(*server_);
  port_ = server_->bind_to_any_port("127.0.0.1");
  thread_ = StartThread("http-server", [this] { server_->listen_after_bind(); });
  // stop() has no effect before the loop runs.
  while (!server_->is_running()) std::this_thread::yield();
}

LoopbackServer::~LoopbackServer() { server_->stop(); }

std::string LoopbackServer::Url(const std::string& path) const {
  return scheme_ + "://127.0.0.1:" + std::to_string(port_) + path;
}

std::size_t LoopbackServer::Connections() const {
  const MutexLock lock(mutex_);
  return client_ports_.size();
}

std::vector<std::string> LoopbackServer::Clients() const {
  const MutexLock lock(mutex_);
  return clients_;
}

std::size_t LoopbackServer::Requests() const {
  const MutexLock lock(mutex_);
  return requests_;
}

}  // namespace escagent::testing
