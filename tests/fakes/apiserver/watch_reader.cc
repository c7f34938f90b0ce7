#include "tests/fakes/apiserver/watch_reader.h"

#include <httplib.h>

#include <chrono>

#include "base/thread.h"
#include "tests/fakes/apiserver/test_cluster.h"

namespace escagent::apiserver {

using nlohmann::json;

WatchReader::WatchReader(const RestClient& client, const std::string& path, const Headers& headers)
    : client_(client.MakeClient()) {
  thread_ = StartThread("watch-reader",
                        [this, path, all = client.WithCredentials(headers)] { Read(path, all); });
}

WatchReader::~WatchReader() {
  client_->stop();
  if (thread_.joinable()) thread_.join();
}

void WatchReader::Read(const std::string& path, const Headers& headers) {
  httplib::Request request;
  request.method = "GET";
  request.path = path;
  for (const auto& [name, value] : headers) request.headers.emplace(name, value);
  request.response_handler = [this](const httplib::Response& response) {
    MutexLock lock(mutex_);
    status_ = response.status;
    changed_.NotifyAll();
    return true;
  };
  request.content_receiver = [this](const char* data, std::size_t size, std::uint64_t,
                                    std::uint64_t) {
    Take({data, size});
    return true;
  };
  static_cast<void>(client_->send(request));
  MutexLock lock(mutex_);
  ended_ = true;
  changed_.NotifyAll();
}

void WatchReader::Take(std::string_view data) {
  MutexLock lock(mutex_);
  rest_ += data;
  for (std::size_t end = 0; (end = rest_.find('\n')) != std::string::npos;) {
    json event = json::parse(rest_.substr(0, end), nullptr, /*allow_exceptions=*/false);
    rest_.erase(0, end + 1);
    if (event.is_discarded()) {
      garbled_ = true;
    } else {
      events_.push_back(std::move(event));
    }
  }
  changed_.NotifyAll();
}

bool WatchReader::WaitFor(const std::function<bool(const std::vector<json>&)>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + TestCluster::kPatience;
  MutexLock lock(mutex_);
  while (!condition(events_)) {
    if (ended_ || !changed_.WaitUntil(mutex_, deadline)) return condition(events_);
  }
  return true;
}

std::vector<json> WatchReader::Events(std::size_t count) {
  WaitFor([&](const std::vector<json>& events) { return events.size() >= count; });
  MutexLock lock(mutex_);
  return events_;
}

std::vector<std::string> WatchReader::Summary(std::size_t count) {
  std::vector<std::string> lines;
  for (const json& event : Events(count)) {
    const json metadata = event.value("object", json::object()).value("metadata", json::object());
    lines.push_back(event.value("type", "") + " " + metadata.value("name", ""));
  }
  return lines;
}

bool WatchReader::AwaitEnd() {
  const auto deadline = std::chrono::steady_clock::now() + TestCluster::kPatience;
  MutexLock lock(mutex_);
  while (!ended_) {
    if (!changed_.WaitUntil(mutex_, deadline)) return ended_;
  }
  return true;
}

int WatchReader::status() {
  MutexLock lock(mutex_);
  return status_;
}

bool WatchReader::garbled() {
  MutexLock lock(mutex_);
  return garbled_;
}

}  // namespace escagent::apiserver
