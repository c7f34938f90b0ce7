#include "tests/fakes/apiserver/managed_fields.h"

#include <algorithm>
#include <utility>

#include "tests/fakes/apiserver/object_meta.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

// What only the server sets is nobody's field.
void Strip(FieldSet& set) {
  set.Drop({"apiVersion"});
  set.Drop({"kind"});
  for (const char* member : {"name", "namespace", "generateName", "uid", "creationTimestamp",
                             "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
                             "resourceVersion", "generation", "managedFields"}) {
    set.Drop({"metadata", member});
  }
  const auto metadata = set.children.find("f:metadata");
  if (metadata == set.children.end()) return;
  metadata->second.member = false;
  if (metadata->second.Empty()) set.children.erase(metadata);
}

std::string Shown(const Manager& manager, const std::string& time) {
  std::string shown = "\"" + manager.name + "\"";
  if (!manager.subresource.empty()) shown += " with subresource \"" + manager.subresource + "\"";
  if (!manager.apply) {
    shown += " using " + manager.api_version;
    if (!time.empty()) shown += " at " + time;
  }
  return shown;
}

}  // namespace

ManagedFields ManagedFields::Read(const json& object) {
  ManagedFields managed;
  const auto metadata = object.find("metadata");
  if (metadata == object.end()) return managed;
  const auto list = metadata->find("managedFields");
  if (list == metadata->end() || !list->is_array()) return managed;
  for (const json& item : *list) {
    managed.entries_.push_back(
        {.manager = {.name = item.value("manager", ""),
                     .apply = item.value("operation", "") == "Apply",
                     .api_version = item.value("apiVersion", ""),
                     .subresource = item.value("subresource", "")},
         .fields = FieldSet::FromJson(item.value("fieldsV1", json::object())),
         .time = item.value("time", "")});
  }
  return managed;
}

void ManagedFields::Write(json& object) const {
  json list = json::array();
  const std::string now = Timestamp();
  for (const bool applied : {true, false}) {
    for (const Entry& entry : entries_) {
      if (entry.fields.Empty() || entry.manager.apply != applied) continue;
      json item = {{"manager", entry.manager.name},
                   {"operation", applied ? "Apply" : "Update"},
                   {"apiVersion", entry.manager.api_version},
                   {"time", entry.changed || entry.time.empty() ? now : entry.time},
                   {"fieldsType", "FieldsV1"},
                   {"fieldsV1", entry.fields.ToJson()}};
      if (!entry.manager.subresource.empty()) item["subresource"] = entry.manager.subresource;
      list.push_back(std::move(item));
    }
  }
  if (list.empty()) {
    object["metadata"].erase("managedFields");
  } else {
    object["metadata"]["managedFields"] = std::move(list);
  }
}

ManagedFields::Entry& ManagedFields::Find(const Manager& manager) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    // An applier has one entry, whatever version it applies by.
    return entry.manager == manager ||
           (manager.apply && entry.manager.apply && entry.manager.name == manager.name &&
            entry.manager.subresource == manager.subresource);
  });
  if (found != entries_.end()) return *found;
  return entries_.emplace_back(Entry{.manager = manager, .fields = {}, .time = {}});
}

FieldSet ManagedFields::AllBut(const Entry& entry) const {
  FieldSet all;
  for (const Entry& other : entries_) {
    if (&other != &entry) all.Add(other.fields);
  }
  return all;
}

void ManagedFields::TakeFromOthers(const Entry& entry, const FieldSet& fields) {
  for (Entry& other : entries_) {
    if (&other == &entry) continue;
    const FieldSet before = other.fields;
    other.fields.Subtract(fields);
    if (!(other.fields == before)) other.changed = true;
  }
}

void ManagedFields::Update(const Schema& schema, const Manager& manager, const json& before,
                           const json& after) {
  FieldSet::Difference difference = FieldSet::Compare(&schema, before, after);
  Strip(difference.changed);
  Strip(difference.removed);
  if (difference.changed.Empty() && difference.removed.Empty()) return;
  Entry& entry = Find(manager);
  TakeFromOthers(entry, difference.changed);
  TakeFromOthers(entry, difference.removed);
  const FieldSet old = entry.fields;
  entry.fields.Subtract(difference.removed);
  entry.fields.Add(difference.changed);
  if (!(entry.fields == old)) entry.changed = true;
}

Done ManagedFields::CheckConflicts(const Manager& manager, const FieldSet& changed) const {
  json causes = json::array();
  std::vector<std::pair<std::string, std::vector<std::string>>> conflicts;
  std::size_t count = 0;
  for (const Entry& entry : entries_) {
    if (entry.manager.apply == manager.apply && entry.manager.name == manager.name &&
        entry.manager.subresource == manager.subresource) {
      continue;
    }
    const std::vector<std::string> paths = entry.fields.Intersection(changed).Paths();
    if (paths.empty()) continue;
    const std::string who = Shown(entry.manager, entry.time);
    for (const std::string& path : paths) {
      causes.push_back({{"reason", "FieldManagerConflict"},
                        {"message", "conflict with " + who},
                        {"field", path}});
    }
    count += paths.size();
    conflicts.emplace_back(who, paths);
  }
  if (count == 0) return {};
  std::string message =
      "Apply failed with " + std::to_string(count) + (count == 1 ? " conflict: " : " conflicts: ");
  if (count == 1) {
    message += "conflict with " + conflicts[0].first + ": " + conflicts[0].second[0];
  } else {
    for (std::size_t i = 0; i < conflicts.size(); ++i) {
      message += (i == 0 ? "conflicts with " : "\nconflicts with ") + conflicts[i].first + ":";
      for (const std::string& path : conflicts[i].second) message += "\n- " + path;
    }
  }
  ApiError error{.code = 409, .reason = "Conflict", .message = std::move(message)};
  error.details = {{"causes", std::move(causes)}};
  return Fail(std::move(error));
}

Outcome<json> ManagedFields::Apply(const Schema& schema, const Manager& manager, const json& before,
                                   const json& config, bool force) {
  FieldSet claimed = FieldSet::Of(&schema, config);
  Strip(claimed);
  json merged = before;
  MergeConfig(&schema, merged, config);

  FieldSet::Difference difference = FieldSet::Compare(&schema, before, merged);
  Strip(difference.changed);
  if (!force) API_RETURN_IF_ERROR(CheckConflicts(manager, difference.changed));

  Entry& entry = Find(manager);
  entry.manager.api_version = manager.api_version;
  FieldSet kept = AllBut(entry);
  kept.Add(claimed);
  const FieldSet last = entry.fields;
  RemoveFields(&schema, merged, last, &kept);
  TakeFromOthers(entry, difference.changed);
  if (!(claimed == last)) entry.changed = true;
  entry.fields = std::move(claimed);
  return merged;
}

}  // namespace escagent::apiserver
