#include "tests/system/esc_front.h"

#include <set>
#include <stdexcept>
#include <utility>

#include "base/thread.h"

namespace escagent::testing {
namespace {

// Of one connection, or made by the library.
bool IsPassedOn(const std::string& header) {
  static const std::set<std::string> kOwn = {
      "Host",       "Connection", "Content-Length", "Transfer-Encoding", "Keep-Alive",
      "LOCAL_ADDR", "LOCAL_PORT", "REMOTE_ADDR",    "REMOTE_PORT",       "Accept-Encoding"};
  return !kOwn.contains(header);
}

}  // namespace

EscFront::EscFront(std::string upstream) : upstream_(std::move(upstream)) {}

EscFront::~EscFront() { Stop(); }

void EscFront::Start(const TestCertificate& certificate) {
  server_ = std::make_unique<httplib::SSLServer>(certificate.x509(), certificate.private_key());
  server_->new_task_queue = [] { return new httplib::ThreadPool(16); };
  // Each request is a connection, and so meets names and certificates.
  server_->set_keep_alive_max_count(1);
  const auto answer = [this](const httplib::Request& request, httplib::Response& response) {
    Answer(request, response);
  };
  // HEAD is routed like GET.
  server_->Get(".*", answer);
  server_->Post(".*", answer);
  {
    MutexLock lock(mutex_);
    stopping_ = false;
  }
  if (port_ == 0) {
    port_ = server_->bind_to_any_port("127.0.0.1");
  } else if (!server_->bind_to_port("127.0.0.1", port_)) {
    throw std::runtime_error("the front's port is taken");
  }
  thread_ = StartThread("esc-front", [this] { server_->listen_after_bind(); });
  // stop() has no effect before the loop runs.
  while (!server_->is_running()) std::this_thread::yield();
}

void EscFront::Stop() {
  if (server_ == nullptr) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  server_->stop();
  thread_.join();
  server_.reset();
}

void EscFront::SetMode(Mode mode) {
  MutexLock lock(mutex_);
  mode_ = mode;
  changed_.NotifyAll();
}

void EscFront::Answer(const httplib::Request& request, httplib::Response& response) {
  Mode mode = Mode::kPass;
  {
    MutexLock lock(mutex_);
    mode = mode_;
    while (mode == Mode::kHang && mode_ == mode && !stopping_) changed_.Wait(mutex_);
  }
  switch (mode) {
    case Mode::kPass:
      Forward(request, response);
      return;
    case Mode::kError:
    case Mode::kHang:
      response.status = 503;
      return;
    case Mode::kBusy:
      response.status = 429;
      response.set_header("Retry-After", "2");
      return;
    case Mode::kTruncate:
      response.set_content_provider(1000, "application/json",
                                    [](std::size_t, std::size_t, httplib::DataSink& sink) {
                                      sink.write("{\"values\":", 10);
                                      return false;
                                    });
      return;
    case Mode::kGarbage:
      response.set_content("<html>Sign in to the guest network</html>", "text/html");
      return;
  }
}

void EscFront::Forward(const httplib::Request& request, httplib::Response& response) const {
  httplib::Client client(upstream_);
  httplib::Request passed;
  passed.method = request.method;
  passed.path = request.target;
  passed.body = request.body;
  for (const auto& [name, value] : request.headers) {
    if (IsPassedOn(name)) passed.headers.emplace(name, value);
  }
  const httplib::Result answer = client.send(passed);
  if (!answer) {
    response.status = 502;
    return;
  }
  response.status = answer->status;
  response.body = answer->body;
  for (const auto& [name, value] : answer->headers) {
    if (IsPassedOn(name)) response.headers.emplace(name, value);
  }
}

}  // namespace escagent::testing
