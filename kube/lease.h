#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "kube/object.h"

namespace escagent::kube {

// A coordination.k8s.io/v1 Lease: who holds something, and until when others believe it.
struct Lease {
  using Time = std::chrono::system_clock::time_point;

  ObjectKey key;
  std::string resource_version;  // empty in a new one
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::string holder_identity;  // empty: nobody
  // After renew_time; whole seconds above 0. 0: absent.
  std::chrono::seconds duration{0};
  std::optional<Time> acquire_time;  // microseconds, as the API keeps them
  std::optional<Time> renew_time;
  std::int64_t transitions = 0;  // how often the holder has changed
};

// What an object that the server gave says. INVALID_ARGUMENT when a time in it cannot be read.
Result<Lease> ParseLease(const Object& object);

// The whole object, for Api::Create and Api::Replace. With a resource_version the write is ABORTED
// when somebody else has written in between. Owner references and finalizers are not kept.
Object ToObject(const Lease& lease);

}  // namespace escagent::kube
