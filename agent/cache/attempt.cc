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
                               std::chrono::seconds session, const std::stop_token& stop,
                               std::string& session_id) {
  ESC_ASSIGN_OR_RETURN(esc::OpenSession opened, api.Open(ref, session, stop));
  session_id = std::move(opened.id);
  ESC_ASSIGN_OR_RETURN(esc::Value properties, api.ReadSession(ref, session_id, stop));
  ESC_RETURN_IF_ERROR(CheckPublishable(ref, properties));
  return properties;
}

// Looks at the members until one is found that has changed.
void ProbeMembers(ProbeTable& probes, esc::Api& api, const EnvironmentKey& root,
                  const AttemptPlan& plan, const std::stop_token& stop, AttemptResult& result) {
  EnvironmentKey target = root;
  for (const ImportClosure::Member& member : plan.members) {
    target.ref = member.ref;
    Result<esc::EnvironmentHead> head =
        probes.Head(api, target, plan.not_before, stop, plan.accept_shared);
    if (head) {
      if (member.head == *head) continue;
      result.changed_member = {.ref = member.ref, .head = *std::move(head)};
      return;
    }
    switch (head.error().code) {
      case Code::kNotFound:
        if (!member.head) continue;
        result.changed_member = {.ref = member.ref, .head = std::nullopt};
        return;
      case Code::kPermissionDenied:
      case Code::kUnimplemented:
        result.hidden_members.push_back(member.ref);
        continue;
      default:
        result.member_error = std::move(head).error();
        return;
    }
  }
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

AttemptResult RunAttempt(ProbeTable& probes, esc::Api& api, const EnvironmentKey& target,
                         const AttemptPlan& plan, const std::stop_token& stop) {
  AttemptResult result;
  if (plan.head) {
    result.head = probes.Head(api, target, plan.not_before, stop, plan.accept_shared);
    if (!NeedsOpen(plan, *result.head)) {
      if (!*result.head) return result;
      ProbeMembers(probes, api, target, plan, stop, result);
      if (!result.changed_member) return result;
    }
  }
  result.opened = OpenAndRead(api, target.ref, plan.session, stop, result.session_id);
  result.same_content = *result.opened && plan.snapshot != nullptr &&
                        plan.snapshot->properties.Equals(**result.opened);
  return result;
}

}  // namespace escagent::cache
