#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tests/fakes/apiserver/rest_client.h"

namespace escagent::apiserver {

// Reads one watch on a thread of its own, until it ends or the object is destroyed. The methods are
// thread-safe.
class WatchReader {
 public:
  // `client` is borrowed.
  WatchReader(const RestClient& client, const std::string& path, const Headers& headers);
  ~WatchReader();
  WatchReader(const WatchReader&) = delete;
  WatchReader& operator=(const WatchReader&) = delete;

  // Waits until the events so far satisfy `condition`, or the watch has ended. False when they do
  // not, also after TestCluster::kPatience.
  bool WaitFor(const std::function<bool(const std::vector<nlohmann::json>&)>& condition);
  // Waits for so many events and gives all there are then.
  std::vector<nlohmann::json> Events(std::size_t count);
  // Waits for the end of the watch. False after TestCluster::kPatience.
  bool AwaitEnd();
  // "ADDED name", "MODIFIED name", ... in their order.
  std::vector<std::string> Summary(std::size_t count);
  // The HTTP status; 0 before there is one.
  int status();
  // Whether a line was no JSON.
  bool garbled();

 private:
  void Read(const std::string& path, const Headers& headers);
  void Take(std::string_view data);

  std::unique_ptr<httplib::Client> client_;
  Mutex mutex_;
  CondVar changed_;
  std::string rest_ GUARDED_BY(mutex_);
  std::vector<nlohmann::json> events_ GUARDED_BY(mutex_);
  int status_ GUARDED_BY(mutex_) = 0;
  bool garbled_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace escagent::apiserver
