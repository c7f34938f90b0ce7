#pragma once

namespace escagent::command {

inline constexpr const char* kAdminSocket = "/run/esc-agent/admin.sock";
inline constexpr const char* kKubeletDir = "/var/lib/kubelet";
inline constexpr const char* kDriverName = "csi.esc-agent.io";
inline constexpr const char* kDefaultEscUrl = "https://api.pulumi.com";

}  // namespace escagent::command
