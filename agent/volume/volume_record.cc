#include "agent/volume/volume_record.h"

#include <chrono>
#include <cstdint>
#include <utility>

#include "base/json.h"

namespace escagent::volume {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

// A text of an object; "" when it is missing or no text.
std::string Text(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

nlohmann::json Part(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() ? *it : nlohmann::json();
}

}  // namespace

std::string EncodeRecord(const VolumeIdentity& identity, const SourceName& source,
                         Clock::WallTime mounted_at) {
  const auto since_epoch = duration_cast<milliseconds>(mounted_at.time_since_epoch());
  return DumpJson({{"volumeId", identity.volume_id},
                   {"target", identity.target},
                   {"pod",
                    {{"name", identity.pod.name},
                     {"namespace", identity.pod.namespace_name},
                     {"uid", identity.pod.uid},
                     {"serviceAccount", identity.pod.service_account}}},
                   {"attributes", identity.requested.attributes},
                   {"volumeMountGroup", identity.requested.volume_mount_group},
                   {"mountFlags", identity.requested.mount_flags},
                   {"store", source.store},
                   {"environment", source.environment},
                   {"mountedAtMs", std::int64_t{since_epoch.count()}}});
}

Result<VolumeRecord> DecodeRecord(std::string_view text) {
  ESC_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text, "a former agent's volume"));
  if (!json.is_object()) return InvalidArgument("read a former agent's volume: it is no object");
  VolumeRecord record;
  csi::PublishRequest& request = record.request;
  request.volume_id = Text(json, "volumeId");
  request.target_path = Text(json, "target");
  const nlohmann::json pod = Part(json, "pod");
  request.pod = {.name = Text(pod, "name"),
                 .namespace_name = Text(pod, "namespace"),
                 .uid = Text(pod, "uid"),
                 .service_account = Text(pod, "serviceAccount")};
  const nlohmann::json attributes = Part(json, "attributes");
  for (const auto& [key, value] : attributes.items()) {
    if (value.is_string()) request.attributes.emplace(key, value.get<std::string>());
  }
  request.volume_mount_group = Text(json, "volumeMountGroup");
  for (const nlohmann::json& flag : Part(json, "mountFlags")) {
    if (flag.is_string()) request.mount_flags.push_back(flag.get<std::string>());
  }
  record.source = {.store = Text(json, "store"), .environment = Text(json, "environment")};
  if (const nlohmann::json at = Part(json, "mountedAtMs"); at.is_number_integer()) {
    record.mounted_at = Clock::WallTime(milliseconds(at.get<std::int64_t>()));
  }
  return record;
}

}  // namespace escagent::volume
