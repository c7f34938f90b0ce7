#include "agent/audit/audit_event.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "base/json.h"

namespace escagent::audit {
namespace {

std::string_view NameOf(AuditEvent::Kind kind) {
  switch (kind) {
    case AuditEvent::Kind::kMount:
      return "mount";
    case AuditEvent::Kind::kUnmount:
      return "unmount";
    case AuditEvent::Kind::kOpen:
      return "open";
    case AuditEvent::Kind::kLost:
      return "lost";
  }
  return "unknown";
}

// "2026-11-24T14:05:09.042Z"
std::string ToText(std::chrono::system_clock::time_point time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto rest = std::chrono::floor<std::chrono::milliseconds>(time - seconds).count();
  std::string text = FormatTime(seconds);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03d", static_cast<int>(rest));
  return text.insert(text.size() - 1, fraction.data());
}

}  // namespace

std::string ToJsonLine(const AuditEvent& event, std::string_view node) {
  nlohmann::json line = {{"time", ToText(event.time)}, {"event", NameOf(event.kind)}};
  const auto add = [&line](const char* key, std::string_view text) {
    if (!text.empty()) line[key] = text;
  };
  add("node", node);
  if (event.kind == AuditEvent::Kind::kLost) {
    line["count"] = event.count;
    return DumpJson(line) + "\n";
  }
  line["allowed"] = event.allowed;
  if (!event.allowed) add("reason", event.reason);
  add("volume", event.volume_id);
  add("namespace", event.pod.namespace_name);
  add("pod", event.pod.name);
  add("podUid", event.pod.uid);
  add("serviceAccount", event.pod.service_account);
  add("store", event.store);
  add("environment", event.environment);
  add("revision", event.revision);
  add("key", event.key);
  add("file", event.file);
  if (event.caller) {
    line["uid"] = event.caller->uid;
    line["gid"] = event.caller->gid;
    if (event.caller->pid != 0) line["pid"] = event.caller->pid;
  }
  return DumpJson(line) + "\n";
}

}  // namespace escagent::audit
