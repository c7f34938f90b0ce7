#pragma once

#include <string_view>

#include "base/result.h"
#include "esc/value.h"

namespace escagent::mirror {

// What a key of a remoteRef leads to. Either a value of the environment, or one made for the
// purpose: the list that a wildcard gives. Move-only.
class RemoteValue {
 public:
  explicit RemoteValue(const esc::Value* borrowed) : borrowed_(borrowed) {}
  explicit RemoteValue(esc::Value made) : made_(std::move(made)) {}

  const esc::Value& value() const { return borrowed_ != nullptr ? *borrowed_ : made_; }

 private:
  const esc::Value* borrowed_ = nullptr;
  esc::Value made_;
};

// Evaluates an ESC property path (esc/property_path.h) with wildcards as ESC's service does:
// `root.array[*].field` is the list of that field of each element of the array (or of each member
// of an object, by key). Further wildcards add to the same flat list. The result borrows from
// `root`. NOT_FOUND when the path leads nowhere, for any element; INVALID_ARGUMENT when it is no
// path.
Result<RemoteValue> LookupRemote(const esc::Value& root, std::string_view path);

// Whether this is a path.
Status CheckRemotePath(std::string_view path);

}  // namespace escagent::mirror
