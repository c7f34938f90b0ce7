#include "tests/fakes/apiserver/object_meta.h"

#include <openssl/rand.h>
#include <re2/re2.h>

#include <array>

#include "base/duration.h"
#include "base/json.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxName = 253;
constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxAnnotations = std::size_t{256} << 10;

constexpr const char* kSubdomain =
    R"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)";
constexpr const char* kLabelValue = R"((([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?)";
constexpr const char* kQualifiedName = R"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])";

std::array<unsigned char, 16> RandomBytes() {
  std::array<unsigned char, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

void AddInvalid(std::vector<FieldCause>& causes, const std::string& field, const std::string& value,
                const std::string& what) {
  causes.push_back({.reason = "FieldValueInvalid",
                    .message = "Invalid value: " + QuoteJson(value, false) + ": " + what,
                    .field = field});
}

void CheckName(const Resource& resource, const json& metadata, std::vector<FieldCause>& causes) {
  const std::string name = metadata.value("name", "");
  if (name.empty()) {
    causes.push_back({.reason = "FieldValueRequired",
                      .message = "Required value: name or generateName is required",
                      .field = "metadata.name"});
    return;
  }
  if (resource.group == "rbac.authorization.k8s.io") {  // any segment of a path
    if (name.find_first_of("/%") != std::string::npos) {
      AddInvalid(causes, "metadata.name", name, "may not contain '/' or '%'");
    }
    return;
  }
  const std::size_t limit = resource.plural == "namespaces" ? kMaxLabel : kMaxName;
  if (name.size() > limit) {
    AddInvalid(causes, "metadata.name", name,
               "must be no more than " + std::to_string(limit) + " bytes");
  }
  static const re2::RE2 subdomain(kSubdomain);
  if (!re2::RE2::FullMatch(name, subdomain)) {
    AddInvalid(causes, "metadata.name", name,
               "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
               "'-' or '.', and must start and end with an alphanumeric character (e.g. "
               "'example.com', regex used for validation is '" +
                   std::string(kSubdomain) + "')");
  }
}

void CheckKey(const std::string& field, const std::string& key, std::vector<FieldCause>& causes) {
  const std::size_t slash = key.find('/');
  const std::string name = slash == std::string::npos ? key : key.substr(slash + 1);
  static const re2::RE2 qualified(kQualifiedName);
  static const re2::RE2 subdomain(kSubdomain);
  if (name.empty() || name.size() > kMaxLabel || !re2::RE2::FullMatch(name, qualified)) {
    AddInvalid(causes, field, key,
               name.size() > kMaxLabel
                   ? "name part must be no more than 63 bytes"
                   : "name part must consist of alphanumeric characters, '-', '_' or '.', and must "
                     "start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  "
                     "or '123-abc', regex used for validation is '" +
                         std::string(kQualifiedName) + "')");
  }
  if (slash != std::string::npos && !re2::RE2::FullMatch(key.substr(0, slash), subdomain)) {
    AddInvalid(causes, field, key, "prefix part must be a lowercase RFC 1123 subdomain");
  }
}

void CheckLabels(const json& metadata, std::vector<FieldCause>& causes) {
  const auto labels = metadata.find("labels");
  if (labels == metadata.end() || !labels->is_object()) return;
  static const re2::RE2 pattern(kLabelValue);
  for (const auto& [key, value] : labels->items()) {
    CheckKey("metadata.labels", key, causes);
    if (!value.is_string()) continue;
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() > kMaxLabel) {
      AddInvalid(causes, "metadata.labels", text, "must be no more than 63 bytes");
    } else if (!re2::RE2::FullMatch(text, pattern)) {
      AddInvalid(causes, "metadata.labels", text,
                 "a valid label must be an empty string or consist of alphanumeric characters, "
                 "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
                 "'MyValue',  or 'my_value',  or '12345', regex used for validation is '" +
                     std::string(kLabelValue) + "')");
    }
  }
}

void CheckAnnotations(const json& metadata, std::vector<FieldCause>& causes) {
  const auto annotations = metadata.find("annotations");
  if (annotations == metadata.end() || !annotations->is_object()) return;
  std::size_t size = 0;
  for (const auto& [key, value] : annotations->items()) {
    CheckKey("metadata.annotations", key, causes);
    size += key.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
  }
  if (size > kMaxAnnotations) {
    causes.push_back(
        {.reason = "FieldValueTooLong",
         .message = "Too long: may not be more than " + std::to_string(kMaxAnnotations) + " bytes",
         .field = "metadata.annotations"});
  }
}

}  // namespace

std::string MakeUid() {
  auto bytes = RandomBytes();
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0FU) | 0x40U);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3FU) | 0x80U);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string uid;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) uid += '-';
    uid += kHex[bytes[i] >> 4U];
    uid += kHex[bytes[i] & 0x0FU];
  }
  return uid;
}

std::string MakeNameSuffix() {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  std::string suffix;
  const auto bytes = RandomBytes();
  for (std::size_t i = 0; i < 5; ++i) suffix += kLetters[bytes[i] % kLetters.size()];
  return suffix;
}

std::string Timestamp() { return FormatTime(std::chrono::system_clock::now()); }

bool HasGeneration(const Resource& resource) {
  return resource.custom || resource.group == "apps" || resource.group == "apiextensions.k8s.io";
}

void CheckMeta(const Resource& resource, const json& metadata, std::vector<FieldCause>& causes) {
  CheckName(resource, metadata, causes);
  CheckLabels(metadata, causes);
  CheckAnnotations(metadata, causes);
  for (const json& owner : metadata.value("ownerReferences", json::array())) {
    for (const char* member : {"apiVersion", "kind", "name", "uid"}) {
      if (owner.value(member, "").empty()) {
        causes.push_back({.reason = "FieldValueInvalid",
                          .message = "Invalid value: \"\": must not be empty",
                          .field = std::string("metadata.ownerReferences.") + member});
      }
    }
  }
}

void StampNew(const Resource& resource, json& metadata) {
  for (const char* member : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
                             "resourceVersion", "generation"}) {
    metadata.erase(member);
  }
  metadata["uid"] = MakeUid();
  metadata["creationTimestamp"] = Timestamp();
  if (HasGeneration(resource)) metadata["generation"] = 1;
}

void CarryOver(const json& before, json& metadata) {
  for (const char* member :
       {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "generateName",
        "deletionGracePeriodSeconds", "generation", "resourceVersion"}) {
    if (const auto found = before.find(member); found != before.end()) {
      metadata[member] = *found;
    } else {
      metadata.erase(member);
    }
  }
  metadata.erase("selfLink");
}

void CheckFinalizers(const json& before, const json& metadata, std::vector<FieldCause>& causes) {
  if (!before.contains("deletionTimestamp")) return;
  const json old = before.value("finalizers", json::array());
  std::string added;
  for (const json& finalizer : metadata.value("finalizers", json::array())) {
    if (std::find(old.begin(), old.end(), finalizer) == old.end()) {
      added += (added.empty() ? "" : ", ") + DumpJson(finalizer);
    }
  }
  if (added.empty()) return;
  causes.push_back({.reason = "FieldValueForbidden",
                    .message = "Forbidden: no new finalizers can be added if the object is being "
                               "deleted, found new finalizers []string{" +
                               added + "}",
                    .field = "metadata.finalizers"});
}

}  // namespace escagent::apiserver
