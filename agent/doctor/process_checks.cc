#include "agent/doctor/process_checks.h"

#include <linux/capability.h>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace escagent::doctor {
namespace {

constexpr char kStatus[] = "/proc/self/status";
// The largest answer of ESC that is taken, for the one environment that is being read; what is kept
// of the others is small beside it.
constexpr std::uint64_t kWanted = std::uint64_t{16} << 20;

std::uint64_t Capabilities(const NodeFiles& files) {
  const std::string text = files.Field(kStatus, "CapEff:");
  std::uint64_t bits = 0;
  std::from_chars(text.data(), text.data() + text.size(), bits, 16);
  return bits;
}

}  // namespace

bool HasCapability(const NodeFiles& files, int capability) {
  return (Capabilities(files) >> capability & 1) != 0;
}

Finding CheckLockedMemory(const NodeFiles& files) {
  const std::string check = "locked memory";
  const std::string text = files.Field("/proc/self/limits", "Max locked memory");
  if (text.empty()) return Skipped(check, "the limit cannot be read");
  if (text.starts_with("unlimited")) return Ok(check, "no limit");
  if (HasCapability(files, CAP_IPC_LOCK)) return Ok(check, "no limit (CAP_IPC_LOCK)");
  std::uint64_t limit = 0;
  std::from_chars(text.data(), text.data() + text.size(), limit);
  const std::string size = std::to_string(limit >> 10) + " KiB";
  if (limit >= kWanted) return Ok(check, size);
  const Result<std::string> swaps = files.Read("/proc/swaps");
  if (swaps && swaps->find('\n') == std::string::npos) {
    return Ok(check, size + ", which is little, but the node has no swap");
  }
  return Warning(check,
                 "the limit is " + size + ": what is above it can be swapped to the node's disk",
                 "turn swap off on the node, or raise the container runtime's LimitMEMLOCK to 64 "
                 "MiB or more");
}

Finding CheckPrivileges(const NodeFiles& files, Vantage vantage, bool in_pod) {
  const std::string check = "privileges";
  if (!in_pod) return Skipped(check, "this is no pod");
  if (vantage == Vantage::kMounter) {
    if (HasCapability(files, CAP_SYS_ADMIN)) return Ok(check, "CAP_SYS_ADMIN, to mount");
    return Failed(check, "mounting needs CAP_SYS_ADMIN",
                  "run the agent with a keeper (--keeper-socket), or this container privileged");
  }
  // "Uid: real effective saved file-system"
  const bool is_root = files.Field(kStatus, "Uid:").starts_with("0");
  std::string too_much;
  if (is_root) too_much += " it runs as root;";
  if (Capabilities(files) != 0) too_much += " it has capabilities;";
  if (files.Field(kStatus, "Seccomp:") == "0") too_much += " it has no seccomp profile;";
  if (too_much.empty()) return Ok(check, "an ordinary user, no capabilities, a seccomp profile");
  too_much.pop_back();
  return Warning(check, "the agent's container is allowed more than it needs:" + too_much,
                 "set runAsUser: 65532, capabilities: {drop: [ALL]} and seccompProfile: {type: "
                 "RuntimeDefault}, as the chart does");
}

}  // namespace escagent::doctor
