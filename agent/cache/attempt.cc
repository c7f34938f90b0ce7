#include "agent/cache/attempt.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "esc/property_path.h"

namespace escagent::cache {
namespace {

// So many properties are named in an error; the rest is counted.
constexpr std::size_t kNamedProperties = 5;

using Accessors = std::vector<esc::PropertyPath::Accessor>;

// The paths of the outermost unknown values below `value`, which lies at `here`.
void CollectUnknown(const esc::Value& value, Accessors& here, std::vector<std::string>& paths) {
  if (value.unknown()) {
    paths.push_back(esc::PropertyPath(here).ToString());
    return;
  }
  for (std::size_t i = 0; i < value.elements().size(); ++i) {
    here.emplace_back(i);
    CollectUnknown(value.elements()[i], here, paths);
    here.pop_back();
  }
  for (const auto& [key, member] : value.members()) {
    here.emplace_back(key);
    CollectUnknown(member, here, paths);
    here.pop_back();
  }
}

Result<esc::Value> OpenAndRead(esc::Api& api, const esc::EnvironmentRef& ref,
                               std::chrono::seconds session, const std::stop_token& stop) {
  ESC_ASSIGN_OR_RETURN(const esc::OpenSession opened, api.Open(ref, session, stop));
  ESC_ASSIGN_OR_RETURN(esc::Value properties, api.ReadSession(ref, opened.id, stop));
  ESC_RETURN_IF_ERROR(CheckPublishable(ref, properties));
  return properties;
}

}  // namespace

bool NeedsOpen(const AttemptPlan& plan, const Result<esc::EnvironmentHead>& head) {
  if (!head) {
    const Code code = head.error().code;
    return code == Code::kUnimplemented || code == Code::kPermissionDenied ||
           (code == Code::kNotFound && plan.snapshot == nullptr);
  }
  if (plan.must_open || plan.snapshot == nullptr || !plan.known) return true;
  if (head->etag.empty() && head->revision.empty()) return true;
  return head->etag != plan.known->etag || head->revision != plan.known->revision;
}

Status CheckPublishable(const esc::EnvironmentRef& ref, const esc::Value& properties) {
  const std::string what = "open environment " + ref.ToString() + ": ";
  if (properties.unknown()) {
    return FailedPrecondition(what + "its values are not known; check its definition");
  }
  if (properties.kind() != esc::Value::Kind::kObject) {
    return FailedPrecondition(what + "its values are not an object; check its definition");
  }
  if (!properties.ContainsUnknown()) return {};
  Accessors here;
  std::vector<std::string> paths;
  CollectUnknown(properties, here, paths);
  std::string names;
  for (std::size_t i = 0; i < paths.size() && i < kNamedProperties; ++i) {
    names.append(i == 0 ? "" : ", ").append(paths[i]);
  }
  if (paths.size() > kNamedProperties) {
    names.append(" and ").append(std::to_string(paths.size() - kNamedProperties)).append(" more");
  }
  return FailedPrecondition(what + "values that ESC could not evaluate: " + names +
                            "; check what these properties refer to");
}

AttemptResult RunAttempt(esc::Api& api, const esc::EnvironmentRef& ref, const AttemptPlan& plan,
                         const std::stop_token& stop) {
  AttemptResult result;
  if (plan.head) {
    result.head = api.Head(ref, stop);
    if (!NeedsOpen(plan, *result.head)) return result;
  }
  result.opened = OpenAndRead(api, ref, plan.session, stop);
  result.same_content = *result.opened && plan.snapshot != nullptr &&
                        plan.snapshot->properties.Equals(**result.opened);
  return result;
}

}  // namespace escagent::cache
