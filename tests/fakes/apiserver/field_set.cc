#include "tests/fakes/apiserver/field_set.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

const json& Absent() {
  static const json absent;
  return absent;
}

// The path element of an edge as conflicts are told.
std::string Shown(const std::string& edge) {
  const std::string text = edge.substr(2);
  if (edge.starts_with("f:")) return "." + text;
  if (edge.starts_with("v:")) return "[=" + text + "]";
  const json keys = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!keys.is_object()) return "[" + text + "]";
  std::string shown;
  for (const auto& [name, value] : keys.items()) {
    shown += (shown.empty() ? "" : ",") + name + "=" + DumpJson(value);
  }
  return "[" + shown + "]";
}

// Whether a member of a map is one that the schema names: such are not in a set by themselves when
// they hold others.
bool IsStructField(const Schema* schema, const std::string& name) {
  return schema != nullptr && schema->properties.contains(name);
}

bool IsEmptyMap(const json& value) {
  return value.is_null() || (value.is_object() && value.empty());
}

void CompareInto(const Schema* schema, const json& before, const json& after,
                 FieldSet::Difference& out);

// Puts the differences below one edge into the sets above.
void CompareChild(const Schema* schema, const std::string& edge, const json& before,
                  const json& after, FieldSet::Difference& out) {
  FieldSet::Difference below;
  CompareInto(schema, before, after, below);
  if (!below.changed.Empty()) out.changed.children[edge] = std::move(below.changed);
  if (!below.removed.Empty()) out.removed.children[edge] = std::move(below.removed);
}

void CompareMaps(const Schema* schema, const json& before, const json& after,
                 FieldSet::Difference& out) {
  for (const auto& [name, value] : after.items()) {
    const auto old = before.is_object() ? before.find(name) : before.end();
    const bool existed = before.is_object() && old != before.end();
    const Schema* child = schema == nullptr ? nullptr : schema->Member(name);
    CompareChild(child, "f:" + name, existed ? *old : Absent(), value, out);
  }
  if (!before.is_object()) return;
  for (const auto& [name, value] : before.items()) {
    if (after.is_object() && after.contains(name)) continue;
    const Schema* child = schema == nullptr ? nullptr : schema->Member(name);
    CompareChild(child, "f:" + name, value, Absent(), out);
  }
}

void CompareLists(const Schema& schema, const json& before, const json& after,
                  FieldSet::Difference& out) {
  const auto compare = [&](const json& from, const json& to, bool forward) {
    if (!from.is_array()) return;
    for (const json& item : from) {
      const std::string edge = ItemEdge(schema, item);
      const json* other = FindItem(schema, to, edge);
      if (forward) {
        CompareChild(schema.items.get(), edge, other == nullptr ? Absent() : *other, item, out);
      } else if (other == nullptr) {
        CompareChild(schema.items.get(), edge, item, Absent(), out);
      }
    }
  };
  compare(after, before, true);
  compare(before, after, false);
}

void CompareInto(const Schema* schema, const json& before, const json& after,
                 FieldSet::Difference& out) {
  if (before == after) return;
  const json& shape = after.is_null() ? before : after;
  const bool map = IsGranularMap(schema, shape);
  if (!map && !IsGranularList(schema, shape)) {
    (after.is_null() ? out.removed : out.changed).member = true;
    return;
  }
  if (before.is_null()) out.changed.member = true;
  if (after.is_null()) out.removed.member = true;
  if (map) {
    CompareMaps(schema, before, after.is_null() ? json::object() : after, out);
  } else {
    CompareLists(*schema, before, after, out);
  }
}

}  // namespace

bool IsGranularMap(const Schema* schema, const json& value) {
  return value.is_object() && (schema == nullptr || !schema->atomic_map);
}

bool IsGranularList(const Schema* schema, const json& value) {
  return value.is_array() && schema != nullptr && schema->list_type != Schema::ListType::kAtomic;
}

std::string ItemEdge(const Schema& list, const json& item) {
  if (!list.IsListMap()) return "v:" + DumpJson(item);
  json keys = json::object();
  for (const std::string& key : list.list_keys) {
    if (item.is_object() && item.contains(key)) keys[key] = item[key];
  }
  return "k:" + DumpJson(keys);
}

const json* FindItem(const Schema& list, const json& items, const std::string& edge) {
  if (!items.is_array()) return nullptr;
  for (const json& item : items) {
    if (ItemEdge(list, item) == edge) return &item;
  }
  return nullptr;
}

FieldSet FieldSet::FromJson(const json& fields) {
  FieldSet set;
  if (!fields.is_object()) return set;
  if (fields.empty()) set.member = true;
  for (const auto& [edge, below] : fields.items()) {
    if (edge == ".") {
      set.member = true;
    } else {
      set.children[edge] = FromJson(below);
    }
  }
  return set;
}

json FieldSet::ToJson() const {
  json fields = json::object();
  if (member && !children.empty()) fields["."] = json::object();
  for (const auto& [edge, below] : children) fields[edge] = below.ToJson();
  return fields;
}

FieldSet FieldSet::Of(const Schema* schema, const json& value) {
  FieldSet set;
  if (IsGranularMap(schema, value)) {
    for (const auto& [name, below] : value.items()) {
      FieldSet child = Of(schema == nullptr ? nullptr : schema->Member(name), below);
      if (!IsStructField(schema, name) || IsEmptyMap(below)) child.member = true;
      set.children["f:" + name] = std::move(child);
    }
  } else if (IsGranularList(schema, value)) {
    for (const json& item : value) {
      FieldSet child = Of(schema->items.get(), item);
      child.member = true;
      set.children[ItemEdge(*schema, item)] = std::move(child);
    }
  } else {
    set.member = true;
  }
  return set;
}

FieldSet::Difference FieldSet::Compare(const Schema* schema, const json& before,
                                       const json& after) {
  Difference difference;
  CompareInto(schema, before, after, difference);
  difference.changed.member = false;
  difference.removed.member = false;
  return difference;
}

void FieldSet::Add(const FieldSet& other) {
  member |= other.member;
  for (const auto& [edge, below] : other.children) children[edge].Add(below);
}

void FieldSet::Subtract(const FieldSet& other) {
  if (other.member) member = false;
  for (const auto& [edge, below] : other.children) {
    const auto found = children.find(edge);
    if (found == children.end()) continue;
    found->second.Subtract(below);
    if (found->second.Empty()) children.erase(found);
  }
}

FieldSet FieldSet::Intersection(const FieldSet& other) const {
  FieldSet both;
  both.member = member && other.member;
  for (const auto& [edge, below] : children) {
    const auto found = other.children.find(edge);
    if (found == other.children.end()) continue;
    FieldSet child = below.Intersection(found->second);
    if (!child.Empty()) both.children[edge] = std::move(child);
  }
  return both;
}

void FieldSet::Drop(const std::vector<std::string>& path) {
  FieldSet* node = this;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    const auto found = node->children.find("f:" + path[i]);
    if (found == node->children.end()) return;
    node = &found->second;
  }
  node->children.erase("f:" + path.back());
}

std::vector<std::string> FieldSet::Paths() const {
  std::vector<std::string> paths;
  AppendPaths("", paths);
  return paths;
}

void FieldSet::AppendPaths(const std::string& path, std::vector<std::string>& out) const {
  if (member) out.push_back(path);
  for (const auto& [edge, below] : children) below.AppendPaths(path + Shown(edge), out);
}

void RemoveFields(const Schema* schema, json& value, const FieldSet& last, const FieldSet* kept) {
  const auto keeper = [&](const std::string& edge) -> const FieldSet* {
    if (kept == nullptr) return nullptr;
    const auto found = kept->children.find(edge);
    return found == kept->children.end() ? nullptr : &found->second;
  };
  // True when nothing of a child is left.
  const auto remove = [&](const Schema* child, json& target, const std::string& edge,
                          const FieldSet& below) {
    const FieldSet* keep = keeper(edge);
    const bool whole = !IsGranularMap(child, target) && !IsGranularList(child, target);
    if (whole) return keep == nullptr;
    RemoveFields(child, target, below, keep);
    return keep == nullptr && target.empty();
  };
  if (IsGranularMap(schema, value)) {
    for (const auto& [edge, below] : last.children) {
      const std::string name = edge.substr(2);
      const auto target = value.find(name);
      if (target == value.end()) continue;
      const Schema* child = schema == nullptr ? nullptr : schema->Member(name);
      if (remove(child, *target, edge, below)) value.erase(name);
    }
  } else if (IsGranularList(schema, value)) {
    for (auto item = value.begin(); item != value.end();) {
      const std::string edge = ItemEdge(*schema, *item);
      const auto below = last.children.find(edge);
      const bool gone =
          below != last.children.end() && remove(schema->items.get(), *item, edge, below->second);
      item = gone ? value.erase(item) : item + 1;
    }
  }
}

void MergeConfig(const Schema* schema, json& value, const json& config) {
  if (IsGranularMap(schema, config)) {
    if (!value.is_object()) value = json::object();
    for (const auto& [name, below] : config.items()) {
      MergeConfig(schema == nullptr ? nullptr : schema->Member(name), value[name], below);
    }
  } else if (IsGranularList(schema, config)) {
    if (!value.is_array()) value = json::array();
    for (const json& item : config) {
      const std::string edge = ItemEdge(*schema, item);
      const auto found = std::find_if(value.begin(), value.end(), [&](const json& existing) {
        return ItemEdge(*schema, existing) == edge;
      });
      if (found == value.end()) {
        value.push_back(item);
      } else {
        MergeConfig(schema->items.get(), *found, item);
      }
    }
  } else {
    value = config;
  }
}

}  // namespace escagent::apiserver
