#include "agent/mirror/ready_condition.h"

#include <algorithm>
#include <string>

#include "base/duration.h"
#include "base/json_fields.h"

namespace escagent::mirror {
namespace {

using nlohmann::json;

json ToJson(const Condition& condition) {
  json entry = {{"type", condition.type}, {"status", condition.status}};
  if (!condition.reason.empty()) entry["reason"] = condition.reason;
  if (!condition.message.empty()) entry["message"] = condition.message;
  if (!condition.last_transition_time.empty()) {
    entry["lastTransitionTime"] = condition.last_transition_time;
  }
  return entry;
}

}  // namespace

std::vector<Condition> ReadConditions(const json& status) {
  std::vector<Condition> read;
  const json& conditions = Member(status, "conditions");
  if (!conditions.is_array()) return read;
  for (const json& condition : conditions) {
    read.push_back({.type = StringMember(condition, "type"),
                    .status = StringMember(condition, "status"),
                    .reason = StringMember(condition, "reason"),
                    .message = StringMember(condition, "message"),
                    .last_transition_time = StringMember(condition, "lastTransitionTime")});
  }
  return read;
}

std::optional<json> ConditionsWithReady(std::span<const Condition> conditions, bool ready,
                                        std::string_view reason, std::string_view message,
                                        std::chrono::system_clock::time_point now) {
  Condition after{.type = kReadyCondition,
                  .status = ready ? "True" : "False",
                  .reason = std::string(reason),
                  .message = std::string(message),
                  .last_transition_time = FormatTime(now)};
  const auto before = std::ranges::find(conditions, kReadyCondition, &Condition::type);
  if (before != conditions.end() && before->status == after.status) {
    if (before->reason == reason && before->message == message) return std::nullopt;
    if (!before->last_transition_time.empty()) {
      after.last_transition_time = before->last_transition_time;
    }
  }
  // A merge patch replaces lists as a whole, so all conditions are in it.
  json list = json::array();
  for (const Condition& condition : conditions) {
    if (condition.type != kReadyCondition) list.push_back(ToJson(condition));
  }
  list.push_back(ToJson(after));
  return list;
}

}  // namespace escagent::mirror
