#include "tests/fakes/apiserver/patch.h"

#include <utility>

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr const char* kDirective = "$patch";
constexpr const char* kElementOrder = "$setElementOrder/";

bool SameItem(const Schema& list, const json& a, const json& b) {
  for (const std::string& key : list.list_keys) {
    if (!a.is_object() || !b.is_object() || a.value(key, json()) != b.value(key, json())) {
      return false;
    }
  }
  return true;
}

Done Merge(json& document, const json& patch, const Schema* schema);

Done MergeItems(json& list, const json& patch, const Schema& schema) {
  if (!list.is_array()) list = json::array();
  for (const json& item : patch) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const json& existing) {
      return SameItem(schema, existing, item);
    });
    const std::string directive = item.is_object() ? item.value(kDirective, "") : "";
    if (directive == "delete") {
      if (found != list.end()) list.erase(found);
    } else if (found == list.end()) {
      json added = json::object();
      API_RETURN_IF_ERROR(Merge(added, item, schema.items.get()));
      list.push_back(std::move(added));
    } else {
      API_RETURN_IF_ERROR(Merge(*found, item, schema.items.get()));
    }
  }
  return {};
}

Done MergeSet(json& list, const json& patch) {
  if (!list.is_array()) list = json::array();
  for (const json& item : patch) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
  }
  return {};
}

Done MergeMember(json& document, const std::string& name, const json& value, const Schema* schema) {
  if (value.is_null()) {
    document.erase(name);
  } else if (value.is_object()) {
    json& target = document[name];
    if (!target.is_object()) target = json::object();
    return Merge(target, value, schema);
  } else if (value.is_array() && schema != nullptr && schema->IsListMap()) {
    return MergeItems(document[name], value, *schema);
  } else if (value.is_array() && schema != nullptr && schema->list_type == Schema::ListType::kSet) {
    return MergeSet(document[name], value);
  } else {
    document[name] = value;
  }
  return {};
}

Done Merge(json& document, const json& patch, const Schema* schema) {
  const std::string directive = patch.value(kDirective, "");
  if (directive == "replace") document = json::object();
  if (!directive.empty() && directive != "replace" && directive != "merge") {
    return Fail(NotImplemented("strategic merge patch: $patch: " + directive +
                               " is not implemented by this server"));
  }
  for (const auto& [name, value] : patch.items()) {
    if (name == kDirective || name.starts_with(kElementOrder)) continue;
    if (name.starts_with('$')) {
      return Fail(
          NotImplemented("strategic merge patch: " + name + " is not implemented by this server"));
    }
    API_RETURN_IF_ERROR(
        MergeMember(document, name, value, schema == nullptr ? nullptr : schema->Member(name)));
  }
  return {};
}

}  // namespace

// The one function that meets nlohmann's exceptions for patches.
Outcome<json> JsonPatch(const json& document, const json& patch) {
  if (!patch.is_array()) {
    return Fail(BadRequest("json: cannot unmarshal object into Go value of type jsonpatch.Patch"));
  }
  try {
    return document.patch(patch);
  } catch (const json::exception& e) {
    ApiError error = Invalid({}, {});
    error.message =
        "the server rejected our request due to an error in our request: " + std::string(e.what());
    error.details = json::object();
    return Fail(std::move(error));
  }
}

json MergePatch(json document, const json& patch) {
  document.merge_patch(patch);
  return document;
}

Outcome<json> StrategicMergePatch(json document, const json& patch, const Schema& schema) {
  if (!patch.is_object()) return Fail(BadRequest("a strategic merge patch must be an object"));
  API_RETURN_IF_ERROR(Merge(document, patch, &schema));
  return document;
}

}  // namespace escagent::apiserver
