#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kube/api.h"

namespace escagent::testing {

// A kube::Api whose answers are functions that the test sets; what is not set is UNIMPLEMENTED.
// The functions are called on the callers' threads, with a lock held: one at a time, and they may
// be exchanged by Set.
class FakeKubeApi final : public kube::Api {
 public:
  using Object = kube::Object;
  using ObjectKey = kube::ObjectKey;
  using Resource = kube::Resource;

  std::function<Result<kube::ListPage>(const Resource&, const kube::ListOptions&)> list;
  std::function<Result<Object>(const Resource&, const Object&)> create;
  std::function<Result<Object>(const Resource&, const ObjectKey&, const Object&)> patch;

  // Changes the functions.
  void Set(const std::function<void(FakeKubeApi&)>& change) {
    const std::scoped_lock lock(mutex_);
    change(*this);
  }

  Result<kube::ListPage> List(const Resource& resource, const kube::ListOptions& options,
                              const kube::CallOptions& call) override {
    if (call.stop.stop_requested()) return MakeError(Code::kCancelled, "list: stopped");
    const std::scoped_lock lock(mutex_);
    if (!list) return Unset("list");
    return list(resource, options);
  }
  Result<Object> Create(const Resource& resource, const Object& object,
                        const kube::CallOptions&) override {
    const std::scoped_lock lock(mutex_);
    if (!create) return Unset("create");
    return create(resource, object);
  }
  Result<Object> Patch(const Resource& resource, const ObjectKey& key, kube::PatchType,
                       const Object& body, std::string_view, const kube::CallOptions&) override {
    const std::scoped_lock lock(mutex_);
    if (!patch) return Unset("patch");
    return patch(resource, key, body);
  }
  Result<Object> Get(const Resource&, const ObjectKey&, const kube::CallOptions&) override {
    return Unset("get");
  }
  Result<Object> GetMetadata(const Resource&, const ObjectKey&, const kube::CallOptions&) override {
    return Unset("get metadata");
  }
  Result<Object> Replace(const Resource&, const Object&, const kube::CallOptions&) override {
    return Unset("replace");
  }
  Status Delete(const Resource&, const ObjectKey&, const kube::Preconditions&,
                const kube::CallOptions&) override {
    return Unset("delete");
  }
  Result<Object> CreateSubresource(const Resource&, const ObjectKey&, std::string_view,
                                   const Object&, const kube::CallOptions&) override {
    return Unset("create subresource");
  }

 private:
  static std::unexpected<Error> Unset(std::string_view verb) {
    return MakeError(Code::kUnimplemented, std::string(verb) + ": the test has set no answer");
  }

  std::mutex mutex_;
};

}  // namespace escagent::testing
