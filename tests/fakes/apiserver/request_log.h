#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "tests/fakes/apiserver/faults.h"

namespace escagent::apiserver {

// How many requests there were, by verb, resource and namespace, and what the last ones were. Never
// bodies. Thread-safe.
class RequestLog {
 public:
  struct Entry {
    std::string method;
    std::string path;  // with the query
    int status = 0;
    std::string user;
  };

  // The log keeps so many.
  static constexpr std::size_t kMaxEntries = 2000;

  RequestLog() = default;
  RequestLog(const RequestLog&) = delete;
  RequestLog& operator=(const RequestLog&) = delete;

  void Count(const RequestLabel& request);
  void Record(Entry entry);
  void Reset();

  // Requests that fit the patterns (see Fault): Total("create", "secrets"),
  // Total("*", "externalsecrets/status", "tenant-1").
  std::uint64_t Total(std::string_view verb, std::string_view resource,
                      std::string_view name_space = "*") const;
  // create, update, patch, delete and deletecollection.
  std::uint64_t Writes(std::string_view resource, std::string_view name_space = "*") const;
  std::vector<Entry> Entries() const;

  // {"total", "requests": {"list externalsecrets": n}, "namespaces": {"ns": {"get secrets": n}}}
  nlohmann::json ToJson() const;
  // [{"method", "path", "status", "user"}], oldest first.
  nlohmann::json EntriesToJson() const;

 private:
  struct Key {
    std::string name_space, verb, resource;
    auto operator<=>(const Key&) const = default;
  };

  mutable Mutex mutex_;
  std::map<Key, std::uint64_t> counts_ GUARDED_BY(mutex_);
  std::deque<Entry> entries_ GUARDED_BY(mutex_);
};

}  // namespace escagent::apiserver
