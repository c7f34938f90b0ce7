#include "esc/devserver/request_counters.h"

namespace escagent::devserver {
namespace {

void Add(RequestCounters::Counts& counts, const std::string& route) {
  ++counts.total;
  ++counts.routes[route];
}

nlohmann::json CountsToJson(const RequestCounters::Counts& counts) {
  return {{"total", counts.total}, {"routes", counts.routes}};
}

}  // namespace

void RequestCounters::Count(const std::string& route, const std::string& environment) {
  MutexLock lock(mutex_);
  Add(all_, route);
  if (environment.empty()) return;
  if (environments_.size() < kMaxEnvironments || environments_.contains(environment)) {
    Add(environments_[environment], route);
  }
}

void RequestCounters::Reset() {
  MutexLock lock(mutex_);
  all_ = {};
  environments_.clear();
}

RequestCounters::Counts RequestCounters::All() const {
  MutexLock lock(mutex_);
  return all_;
}

RequestCounters::Counts RequestCounters::Of(const std::string& environment) const {
  MutexLock lock(mutex_);
  const auto found = environments_.find(environment);
  return found == environments_.end() ? Counts() : found->second;
}

nlohmann::json RequestCounters::ToJson() const {
  MutexLock lock(mutex_);
  nlohmann::json document = CountsToJson(all_);
  document["environments"] = nlohmann::json::object();
  for (const auto& [name, counts] : environments_) {
    document["environments"][name] = CountsToJson(counts);
  }
  return document;
}

}  // namespace escagent::devserver
