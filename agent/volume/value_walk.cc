#include "agent/volume/value_walk.h"

#include "agent/volume/file_name.h"

namespace escagent::volume {
namespace {

using Accessors = std::vector<esc::PropertyPath::Accessor>;

// Calls `visit(way, value)` for `value` and everything below it, top down. `way` is put back as it
// was. Recursion is as deep as the value, which the JSON reader limits (kMaxJsonDepth).
template <class Visit>
void Walk(const esc::Value& value, Accessors& way, const Visit& visit) {
  visit(way, value);
  for (const auto& [key, member] : value.members()) {
    way.emplace_back(key);
    Walk(member, way, visit);
    way.pop_back();
  }
  for (std::size_t i = 0; i < value.elements().size(); ++i) {
    way.emplace_back(i);
    Walk(value.elements()[i], way, visit);
    way.pop_back();
  }
}

}  // namespace

std::vector<Leaf> Leaves(const esc::Value& value, std::string_view name) {
  Accessors way;
  if (value.IsScalar()) way.emplace_back(std::string(name));
  std::vector<Leaf> leaves;
  Walk(value, way, [&leaves](const Accessors& path, const esc::Value& found) {
    if (found.IsScalar()) leaves.push_back({path, &found});
  });
  return leaves;
}

Status CheckKnown(const esc::Value& value, const std::string& where) {
  if (!value.ContainsUnknown()) return {};
  std::string first;
  Accessors way;
  Walk(value, way, [&](const Accessors& path, const esc::Value& found) {
    if (found.unknown() && first.empty()) first = PathBelow(where, path);
  });
  return FailedPrecondition("the value at " + QuoteForMessage(first) +
                            " is unknown to ESC, so it cannot be shown; see the environment's "
                            "diagnostics with `esc open`");
}

std::string PathBelow(const std::string& where, const Accessors& path) {
  const std::string below = esc::PropertyPath(path).ToString();
  if (where.empty() || below.empty()) return where + below;
  return where + (below.starts_with('[') ? "" : ".") + below;
}

}  // namespace escagent::volume
