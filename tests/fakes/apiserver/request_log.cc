#include "tests/fakes/apiserver/request_log.h"

#include <utility>

namespace escagent::apiserver {

using nlohmann::json;

void RequestLog::Count(const RequestLabel& request) {
  MutexLock lock(mutex_);
  ++counts_[{request.name_space, request.verb, request.resource}];
}

void RequestLog::Record(Entry entry) {
  MutexLock lock(mutex_);
  entries_.push_back(std::move(entry));
  if (entries_.size() > kMaxEntries) entries_.pop_front();
}

void RequestLog::Reset() {
  MutexLock lock(mutex_);
  counts_.clear();
  entries_.clear();
}

std::uint64_t RequestLog::Total(std::string_view verb, std::string_view resource,
                                std::string_view name_space) const {
  std::uint64_t total = 0;
  MutexLock lock(mutex_);
  for (const auto& [key, count] : counts_) {
    if (MatchesPattern(verb, key.verb) && MatchesPattern(resource, key.resource) &&
        MatchesPattern(name_space, key.name_space)) {
      total += count;
    }
  }
  return total;
}

std::uint64_t RequestLog::Writes(std::string_view resource, std::string_view name_space) const {
  std::uint64_t total = 0;
  for (const char* verb : {"create", "update", "patch", "delete", "deletecollection"}) {
    total += Total(verb, resource, name_space);
  }
  return total;
}

std::vector<RequestLog::Entry> RequestLog::Entries() const {
  MutexLock lock(mutex_);
  return {entries_.begin(), entries_.end()};
}

json RequestLog::ToJson() const {
  std::uint64_t total = 0;
  std::map<std::string, std::uint64_t> requests;
  std::map<std::string, std::map<std::string, std::uint64_t>> namespaces;
  MutexLock lock(mutex_);
  for (const auto& [key, count] : counts_) {
    const std::string what = key.verb + " " + key.resource;
    total += count;
    requests[what] += count;
    if (!key.name_space.empty()) namespaces[key.name_space][what] += count;
  }
  return {{"total", total}, {"requests", requests}, {"namespaces", namespaces}};
}

json RequestLog::EntriesToJson() const {
  json list = json::array();
  for (const Entry& entry : Entries()) {
    list.push_back({{"method", entry.method},
                    {"path", entry.path},
                    {"status", entry.status},
                    {"user", entry.user}});
  }
  return list;
}

}  // namespace escagent::apiserver
