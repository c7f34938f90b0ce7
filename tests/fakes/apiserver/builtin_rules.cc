#include "tests/fakes/apiserver/builtin_rules.h"

#include <re2/re2.h>

#include <map>
#include <string>

#include "base/json.h"
#include "base/strings.h"
#include "tests/fakes/apiserver/object_meta.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSecret = std::size_t{1} << 20;
constexpr std::size_t kMaxKey = 253;

bool IsCore(const Resource& resource, std::string_view plural) {
  return resource.group.empty() && resource.plural == plural;
}

Done PrepareSecret(json& secret) {
  if (const auto text = secret.find("stringData"); text != secret.end()) {
    if (text->is_object()) {
      for (const auto& [key, value] : text->items()) {
        if (!value.is_string()) continue;
        SecretBuilder encoded;
        EncodeBase64(value.get_ref<const std::string&>(), encoded);
        secret["data"][key] = std::string(encoded.Reveal());
      }
    }
    secret.erase("stringData");
  }
  if (secret.value("type", "").empty()) secret["type"] = "Opaque";
  const auto data = secret.find("data");
  if (data == secret.end()) return {};
  if (data->is_null() || data->empty()) {
    secret.erase(data);
    return {};
  }
  for (auto& [key, value] : data->items()) {
    if (value.is_null()) value = "";
    if (!value.is_string() || !DecodeBase64(value.get_ref<const std::string&>())) {
      return Fail(BadRequest(
          "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input "
          "byte 0"));
    }
  }
  return {};
}

void CheckKeys(const json& data, const std::string& field, std::vector<FieldCause>& causes) {
  static const re2::RE2 pattern("[-._a-zA-Z0-9]+");
  for (const auto& [key, value] : data.items()) {
    std::string what;
    if (key.size() > kMaxKey) {
      what = "must be no more than 253 characters";
    } else if (!re2::RE2::FullMatch(key, pattern)) {
      what =
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
          "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
          "'[-._a-zA-Z0-9]+')";
    } else if (key == "." || key == ".." || key.starts_with("..")) {
      what = key == "."    ? "must not be '.'"
             : key == ".." ? "must not be '..'"
                           : "must not start with '..'";
    }
    if (what.empty()) continue;
    causes.push_back({.reason = "FieldValueInvalid",
                      .message = "Invalid value: " + QuoteJson(key, false) + ": " + what,
                      .field = field + "[" + key + "]"});
  }
}

std::size_t DecodedSize(const json& data) {
  std::size_t size = 0;
  for (const auto& [key, value] : data.items()) {
    if (!value.is_string()) continue;
    const auto& text = value.get_ref<const std::string&>();
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    size += text.size() / 4 * 3 - padding;
  }
  return size;
}

void CheckRequiredKeys(const json& secret, std::vector<FieldCause>& causes) {
  static const std::map<std::string, std::vector<std::string>, std::less<>> required = {
      {"kubernetes.io/dockerconfigjson", {".dockerconfigjson"}},
      {"kubernetes.io/dockercfg", {".dockercfg"}},
      {"kubernetes.io/tls", {"tls.crt", "tls.key"}},
      {"kubernetes.io/ssh-auth", {"ssh-privatekey"}}};
  const auto found = required.find(secret.value("type", ""));
  if (found == required.end()) return;
  const json data = secret.value("data", json::object());
  for (const std::string& key : found->second) {
    if (data.contains(key)) continue;
    causes.push_back({.reason = "FieldValueRequired",
                      .message = "Required value",
                      .field = "data[" + key + "]"});
  }
}

void CheckImmutable(const json& before, const json& object,
                    std::initializer_list<const char*> parts, std::vector<FieldCause>& causes) {
  if (!before.value("immutable", false)) return;
  const auto forbid = [&](const char* field) {
    causes.push_back({.reason = "FieldValueForbidden",
                      .message = "Forbidden: field is immutable when `immutable` is set",
                      .field = field});
  };
  if (!object.value("immutable", false)) forbid("immutable");
  for (const char* part : parts) {
    if (before.value(part, json::object()) != object.value(part, json::object())) forbid(part);
  }
}

void ValidateSecret(const json* before, const json& secret, std::vector<FieldCause>& causes) {
  const json data = secret.value("data", json::object());
  CheckKeys(data, "data", causes);
  if (DecodedSize(data) > kMaxSecret) {
    causes.push_back({.reason = "FieldValueTooLong",
                      .message = "Too long: may not be more than 1048576 bytes",
                      .field = "data"});
  }
  CheckRequiredKeys(secret, causes);
  if (before == nullptr) return;
  if (before->value("type", "") != secret.value("type", "")) {
    causes.push_back({.reason = "FieldValueInvalid",
                      .message = "Invalid value: " + DumpJson(secret.value("type", json(""))) +
                                 ": field is immutable",
                      .field = "type"});
  }
  CheckImmutable(*before, secret, {"data"}, causes);
}

void ValidateConfigMap(const json* before, const json& map, std::vector<FieldCause>& causes) {
  CheckKeys(map.value("data", json::object()), "data", causes);
  CheckKeys(map.value("binaryData", json::object()), "binaryData", causes);
  if (before != nullptr) CheckImmutable(*before, map, {"data", "binaryData"}, causes);
}

void ValidateEvent(const json& event, std::vector<FieldCause>& causes) {
  const std::string about = event.value("involvedObject", json::object()).value("namespace", "");
  const std::string own = event.value("metadata", json::object()).value("namespace", "");
  // Events of cluster-wide objects live in "default".
  if (about.empty() ? own != "default" : about != own) {
    causes.push_back({.reason = "FieldValueInvalid",
                      .message = "Invalid value: " + QuoteJson(about, false) +
                                 ": does not match event.namespace",
                      .field = "involvedObject.namespace"});
  }
}

}  // namespace

Done PrepareBuiltin(const Resource& resource, json& object) {
  if (IsCore(resource, "secrets")) return PrepareSecret(object);
  if (IsCore(resource, "namespaces")) {
    if (!object.contains("spec")) object["spec"] = {{"finalizers", {"kubernetes"}}};
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] =
        object["metadata"].value("name", "");
  }
  return {};
}

void SetInitialStatus(const Resource& resource, json& object) {
  if (IsCore(resource, "namespaces")) {
    object["status"] = {{"phase", "Active"}};
  } else if (resource.plural == "customresourcedefinitions") {
    const json spec = object.value("spec", json::object());
    json stored = json::array();
    for (const json& version : spec.value("versions", json::array())) {
      if (version.value("storage", false)) stored.push_back(version.value("name", ""));
    }
    const std::string now = Timestamp();
    json conditions = json::array();
    for (const char* type : {"NamesAccepted", "Established"}) {
      const bool names = std::string_view(type) == "NamesAccepted";
      conditions.push_back(
          {{"type", type},
           {"status", "True"},
           {"lastTransitionTime", now},
           {"reason", names ? "NoConflicts" : "InitialNamesAccepted"},
           {"message", names ? "no conflicts found" : "the initial names have been accepted"}});
    }
    object["status"] = {{"conditions", std::move(conditions)},
                        {"acceptedNames", spec.value("names", json::object())},
                        {"storedVersions", std::move(stored)}};
  } else if (resource.status_subresource) {
    object.erase("status");
  }
}

void ValidateBuiltin(const Resource& resource, const json* before, const json& object,
                     std::vector<FieldCause>& causes) {
  if (IsCore(resource, "secrets")) ValidateSecret(before, object, causes);
  if (IsCore(resource, "configmaps")) ValidateConfigMap(before, object, causes);
  if (IsCore(resource, "events")) ValidateEvent(object, causes);
}

}  // namespace escagent::apiserver
