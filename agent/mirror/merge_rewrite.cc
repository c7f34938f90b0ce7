#include "agent/mirror/merge_rewrite.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "agent/mirror/plain_json.h"
#include "agent/mirror/secret_keys.h"
#include "esc/json_writer.h"

namespace escagent::mirror {
namespace {

using esc::Value;

// Which keys are merged, in which order.
Result<std::vector<std::string>> MergeOrder(const MergeRewrite& rule, const SecretData& data) {
  std::vector<std::string> order;
  for (const auto& entry : data) {
    if (std::ranges::find(rule.priority, entry.first) == rule.priority.end()) {
      order.push_back(entry.first);
    }
  }
  for (const std::string& key : rule.priority) {
    if (data.contains(key)) {
      order.push_back(key);
    } else if (!rule.ignore_missing_priority) {
      return InvalidArgument("merge failed with key " + QuoteKey(key) + " not found in input map");
    }
  }
  return order;
}

Status CheckConflicts(const MergeRewrite& rule, const std::set<std::string>& conflicts) {
  if (rule.ignore_conflicts || conflicts.empty()) return {};
  std::string names;
  constexpr std::size_t kShown = 8;
  std::size_t shown = 0;
  for (const std::string& name : conflicts) {
    if (shown++ == kShown) {
      names += " and " + std::to_string(conflicts.size() - kShown) + " more";
      break;
    }
    names += (names.empty() ? "" : ", ") + QuoteKey(name);
  }
  return InvalidArgument("merge failed with conflicts: " + names +
                         "; set conflictPolicy: Ignore to let the last one win");
}

}  // namespace

Result<SecretData> MergeObjects(const MergeRewrite& rule, SecretData data, const Compat& compat) {
  ESC_ASSIGN_OR_RETURN(const std::vector<std::string> order, MergeOrder(rule, data));
  // MakeObject keeps the last of equal keys, which is the merge.
  Value::Object members;
  std::set<std::string> seen;
  std::set<std::string> conflicts;
  for (const std::string& key : order) {
    Result<Value> object =
        ParsePlainJson(data.at(key).Reveal(), "the value of key " + QuoteKey(key));
    if (!object) return std::unexpected(Annotate(std::move(object).error(), "merge failed"));
    if (object->kind() != Value::Kind::kObject) {
      return InvalidArgument("merge failed: the value of key " + QuoteKey(key) +
                             " is no JSON object");
    }
    for (const auto& member : object->members()) {
      if (!seen.insert(member.first).second) conflicts.insert(member.first);
      members.emplace_back(member.first, member.second.Clone());
    }
  }
  ESC_RETURN_IF_ERROR(CheckConflicts(rule, conflicts));
  const Value merged = Value::MakeObject(std::move(members));
  if (rule.strategy == MergeRewrite::Strategy::kJson) {
    SecretBuilder json;
    esc::WriteJson(merged, {}, json);
    data.insert_or_assign(rule.into, json.Finish());
    return data;
  }
  SecretData extracted;
  // A null in a value is an empty value here in ESO too.
  const Compat nested{.eso_floats = compat.eso_floats};
  for (const auto& [key, value] : merged.members()) {
    ESC_ASSIGN_OR_RETURN(Secret text, RenderValue(value, nested, QuoteKey(key)));
    extracted.emplace(key, std::move(text));
  }
  return extracted;
}

}  // namespace escagent::mirror
