#include "base/sandbox.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "base/file.h"
#include "base/strings.h"
#include "base/syscall_filter.h"

namespace escagent {
namespace {

constexpr unsigned long kSecurebits =
    SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
    SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

Status DropBoundingSet() {
  for (unsigned long capability = 0;; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    // EINVAL: past the last. EPERM: we have no CAP_SETPCAP.
    if (errno == EINVAL || errno == EPERM) return {};
    return ErrnoError(errno, "drop capabilities from the bounding set");
  }
}

Status DropCapabilities() {
  ESC_RETURN_IF_ERROR(DropBoundingSet());
  if (prctl(PR_SET_SECUREBITS, kSecurebits, 0, 0, 0) != 0 && errno != EPERM) {
    return ErrnoError(errno, "set the securebits");
  }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return ErrnoError(errno, "clear the ambient capabilities");
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (syscall(SYS_capset, &header, none.data()) != 0) {
    return ErrnoError(errno, "drop all capabilities");
  }
  return {};
}

#ifdef ESC_AGENT_SANITIZED
// TSan has a thread of its own, which keeps what it has.
Status CheckThreads() { return {}; }
#else
// What is wrong with a thread, by its /proc/<pid>/task/<tid>/status (proc(5)); empty when nothing.
std::string Shortcoming(std::string_view status) {
  for (const std::string_view line : Split(status, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, tab);
    const std::string_view value = line.substr(tab + 1);
    const bool is_held_set =
        key == "CapInh:" || key == "CapPrm:" || key == "CapEff:" || key == "CapAmb:";
    if (is_held_set && value.find_first_not_of('0') != std::string_view::npos) {
      return "has capabilities; drop the privileges before threads are started, or run without "
             "capabilities";
    }
    if (key == "NoNewPrivs:" && value != "1") return "may get new privileges";
    if (key == "Seccomp:" && value != "2") return "has no seccomp filter";
  }
  return {};
}

Status CheckThreads() {
  std::error_code error;
  for (std::filesystem::directory_iterator tasks("/proc/self/task", error), end;
       !error && tasks != end; tasks.increment(error)) {
    const Result<Secret> status = ReadFile(tasks->path() / "status");
    // A thread that has just ended.
    if (!status && status.error().code == Code::kNotFound) continue;
    if (!status) return std::unexpected(Annotate(status.error(), "drop privileges"));
    if (const std::string problem = Shortcoming(status->Reveal()); !problem.empty()) {
      return FailedPrecondition("drop privileges: thread " + tasks->path().filename().string() +
                                " still " + problem);
    }
  }
  if (error) return ErrnoError(error.value(), "drop privileges: read /proc/self/task");
  return {};
}
#endif

}  // namespace

Status DropPrivileges() {
  ESC_RETURN_IF_ERROR(DropCapabilities());
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return ErrnoError(errno, "set no_new_privs");
  ESC_RETURN_IF_ERROR(FilterSyscalls());
  return CheckThreads();
}

}  // namespace escagent
