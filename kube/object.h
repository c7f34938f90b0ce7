#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "kube/resource.h"

namespace escagent::kube {

// One object of the API as JSON. It may be a Secret with its data: the text is wiped on
// destruction, and copying is a visible Clone(). Move-only; thread-compatible.
class Object {
 public:
  Object() = default;
  explicit Object(nlohmann::json json) : json_(std::move(json)) {}
  Object(Object&&) noexcept = default;
  Object& operator=(Object&& other) noexcept;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object();

  Object Clone() const { return Object(json_); }
  const nlohmann::json& json() const { return json_; }
  nlohmann::json& json() { return json_; }

  // Parts of metadata; empty (0) when absent.
  ObjectKey Key() const;
  std::string Name() const;
  std::string Namespace() const;
  std::string Uid() const;
  std::string ResourceVersion() const;
  std::int64_t Generation() const;

 private:
  nlohmann::json json_;
};

}  // namespace escagent::kube
