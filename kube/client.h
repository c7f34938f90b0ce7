#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/http.h"
#include "kube/api.h"
#include "kube/connection.h"

namespace escagent::kube {

// Api over HTTP. Limits its calls: `qps` with `burst` (a token bucket) and `max_in_flight` at once,
// in the order of Priority, then first come, first served; Priority::kExempt waits for neither. No
// class starves: every eighth call goes to the one that has waited longest. 429 and 503 with
// Retry-After hold back all but exempt calls for so long. Does not retry, but once after a 401 with
// a fresh credential. Thread-safe; borrows what it is given.
class Client final : public Api {
 public:
  struct Options {
    double qps = 600;
    double burst = 1200;
    int max_in_flight = 16;
    std::string field_manager = "esc-agent";
    // From the start of the HTTP request to its end; waiting for the rate is not counted.
    std::chrono::milliseconds call_timeout{10000};
    std::chrono::milliseconds list_timeout{60000};
  };

  Client(Options options, Connection& connection, HttpTransport& transport, Clock& clock);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Result<Object> Get(const Resource& resource, const ObjectKey& key,
                     const CallOptions& options) override;
  Result<Object> GetMetadata(const Resource& resource, const ObjectKey& key,
                             const CallOptions& options) override;
  Result<ListPage> List(const Resource& resource, const ListOptions& list,
                        const CallOptions& options) override;
  Result<Object> Create(const Resource& resource, const Object& object,
                        const CallOptions& options) override;
  Result<Object> Replace(const Resource& resource, const Object& object,
                         const CallOptions& options) override;
  Result<Object> Patch(const Resource& resource, const ObjectKey& key, PatchType type,
                       const Object& patch, std::string_view subresource,
                       const CallOptions& options) override;
  Status Delete(const Resource& resource, const ObjectKey& key, const Preconditions& preconditions,
                const CallOptions& options) override;
  Result<Object> CreateSubresource(const Resource& resource, const ObjectKey& key,
                                   std::string_view subresource, const Object& object,
                                   const CallOptions& options) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::kube
