#include "agent/audit/volume_audit.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "agent/volume/item_list.h"
#include "agent/volume/volume_record.h"
#include "base/strings.h"
#include "esc/property_path.h"

namespace escagent::audit {
namespace {

using esc::PropertyPath;

// What is the same for every file of a volume.
struct AuditedVolume {
  AuditEvent event;
  std::optional<volume::VolumeAttributes> attributes;
};

AuditedVolume ReadVolume(std::string_view metadata) {
  AuditedVolume audited;
  Result<volume::VolumeRecord> record = volume::DecodeRecord(metadata);
  if (!record) return audited;
  AuditEvent& event = audited.event;
  event.volume_id = record->request.volume_id;
  event.pod = record->request.pod;
  event.store = record->source.store;
  event.environment = record->source.environment;
  if (auto attributes = volume::ParseVolumeAttributes(record->request.attributes,
                                                      record->request.volume_mount_group)) {
    audited.attributes = *std::move(attributes);
  }
  return audited;
}

bool IsDenial(const std::optional<Error>& error) {
  return error && (error->code == Code::kPermissionDenied || error->code == Code::kUnauthenticated);
}

void AppendNames(std::string_view file, PropertyPath& key) {
  for (const std::string_view name : Split(file, '/')) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (error == std::errc() && end == name.data() + name.size()) {
      key.Append(index);
    } else {
      key.Append(std::string(name));
    }
  }
}

std::string WhyNot(const fuse::FileOpen& open) {
  if (open.file.withheld) return "the pod's identity may not read the environment any more";
  if (open.error == EROFS) return "opened for writing";
  return "error " + std::to_string(open.error);
}

}  // namespace

std::string KeyOf(const volume::VolumeAttributes& attributes, std::string_view file) {
  Result<PropertyPath> key = PropertyPath::Parse(attributes.path);
  if (!key || attributes.format != volume::Format::kFiles) return attributes.path;
  if (attributes.items.empty()) {
    if (file != volume::LastName(attributes.path)) AppendNames(file, *key);
    return key->ToString();
  }
  for (const volume::Item& item : attributes.items) {
    if (item.file != file) continue;
    const Result<PropertyPath> below = PropertyPath::Parse(item.path);
    if (!below) break;
    for (const PropertyPath::Accessor& accessor : below->accessors()) key->Append(accessor);
    return key->ToString();
  }
  return std::string();
}

fuse::OpenListener ListenToOpens(AuditLog& log, std::string_view metadata) {
  return [&log, audited = std::make_shared<const AuditedVolume>(ReadVolume(metadata))](
             const fuse::FileOpen& open) {
    AuditEvent event = audited->event;
    event.kind = AuditEvent::Kind::kOpen;
    event.time = std::chrono::system_clock::now();
    event.allowed = open.error == 0 && !open.file.withheld;
    if (!event.allowed) event.reason = WhyNot(open);
    event.revision = open.file.revision;
    event.file = open.file.path;
    if (audited->attributes) event.key = KeyOf(*audited->attributes, open.file.path);
    event.caller = Caller{.uid = open.uid, .gid = open.gid, .pid = open.pid};
    log.Write(std::move(event));
  };
}

void WriteVolumeEvent(AuditLog& log, const volume::VolumeEvent& event) {
  using Kind = volume::VolumeEvent::Kind;
  const bool published = event.kind == Kind::kPublish;
  if (!published && event.kind != Kind::kUnpublish) return;
  if (event.error && !(published && IsDenial(event.error))) return;
  AuditEvent line;
  line.kind = published ? AuditEvent::Kind::kMount : AuditEvent::Kind::kUnmount;
  line.time = std::chrono::system_clock::now();
  line.allowed = !event.error;
  if (event.error) line.reason = event.error->message;
  line.volume_id = event.volume_id;
  line.pod = event.pod;
  line.store = event.source.store;
  line.environment = event.source.environment;
  log.Write(std::move(line));
}

}  // namespace escagent::audit
