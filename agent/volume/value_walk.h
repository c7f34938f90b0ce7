#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "esc/property_path.h"
#include "esc/value.h"

namespace escagent::volume {

// A scalar below a value, and the way to it.
struct Leaf {
  std::vector<esc::PropertyPath::Accessor> path;
  const esc::Value* value = nullptr;  // borrowed from what was walked
};

// All scalars below `value`, in order; empty objects and arrays have none. A `value` that is a
// scalar itself is the only leaf, with the path {name}.
std::vector<Leaf> Leaves(const esc::Value& value, std::string_view name);

// FAILED_PRECONDITION naming the place when `value` or something below it is unknown. `where` is
// the path of `value`, for the message.
Status CheckKnown(const esc::Value& value, const std::string& where);

// `app.db["user.name"]` of a way below `where`, for messages.
std::string PathBelow(const std::string& where,
                      const std::vector<esc::PropertyPath::Accessor>& path);

}  // namespace escagent::volume
