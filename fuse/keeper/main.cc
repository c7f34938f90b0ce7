#include <getopt.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "fuse/keeper/keeper.h"
#include "fuse/keeper/sockets.h"

namespace escagent::keeper {
namespace {

constexpr const char kUsage[] =
    "esc-keeper --socket PATH --kubelet-dir DIR [options]\n"
    "  --csi-socket PATH           listen for kubelet's CSI calls, for the agents\n"
    "  --registration-socket PATH  and for its plugin registration\n"
    "  --agent-uid UID             the agent's user beside root (default 0)\n"
    "  --agent-gid GID             its group (default the number of the user)\n"
    "  --watchdog SECONDS          abort volumes nobody serves for so long (default 60)\n"
    "  --takeover                  replace the keeper that listens at --socket\n";

enum Flag {
  kSocket = 1,
  kKubeletDir,
  kCsi,
  kRegistration,
  kUid,
  kGid,
  kWatchdog,
  kTakeover,
  kHelp
};

constexpr option kFlags[] = {{"socket", required_argument, nullptr, kSocket},
                             {"kubelet-dir", required_argument, nullptr, kKubeletDir},
                             {"csi-socket", required_argument, nullptr, kCsi},
                             {"registration-socket", required_argument, nullptr, kRegistration},
                             {"agent-uid", required_argument, nullptr, kUid},
                             {"agent-gid", required_argument, nullptr, kGid},
                             {"watchdog", required_argument, nullptr, kWatchdog},
                             {"takeover", no_argument, nullptr, kTakeover},
                             {"help", no_argument, nullptr, kHelp},
                             {}};

bool ParseNumber(const char* text, long most, unsigned* number) {
  char* end = nullptr;
  const long value = strtol(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != 0 || value > most) return false;
  *number = static_cast<unsigned>(value);
  return true;
}

bool ParseFlags(int argc, char** argv, Options* options) {
  bool has_gid = false;
  bool valid = true;
  unsigned watchdog = 60;
  for (int flag = 0; (flag = getopt_long(argc, argv, "", kFlags, nullptr)) != -1;) {
    if (flag == kSocket) options->socket = optarg;
    if (flag == kKubeletDir) options->kubelet_dir = optarg;
    if (flag == kCsi) options->csi_socket = optarg;
    if (flag == kRegistration) options->registration_socket = optarg;
    if (flag == kUid) valid = valid && ParseNumber(optarg, 0x7fffffff, &options->agent_uid);
    if (flag == kGid)
      valid = has_gid = valid && ParseNumber(optarg, 0x7fffffff, &options->agent_gid);
    if (flag == kWatchdog) valid = valid && ParseNumber(optarg, 86400, &watchdog) && watchdog > 0;
    if (flag == kTakeover) options->takeover = true;
    if (flag == kHelp || flag == '?') return false;
  }
  if (!has_gid) options->agent_gid = options->agent_uid;
  options->watchdog_seconds = static_cast<int>(watchdog);
  return valid && optind == argc && options->socket != nullptr && options->kubelet_dir != nullptr;
}

constexpr std::uint32_t Bit(int capability) { return 1U << capability; }

// Nothing here is for life: a container may lack the right to do some of it.
// There is no seccomp filter: what this program is for (mount, fsopen, move_mount, umount2, ...) is
// what one would want to take away, and the rest is a handful of calls with nobody's input in them.
void Harden() {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // Three descriptors a volume, and some for what is on its way.
  rlimit files = {16384, 16384};
  if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  constexpr std::uint32_t kKept =
      Bit(CAP_CHOWN) | Bit(CAP_DAC_OVERRIDE) | Bit(CAP_KILL) | Bit(CAP_SYS_ADMIN);
  for (int i = 0; i <= CAP_LAST_CAP; ++i) {
    if (i >= 32 || (kKept & Bit(i)) == 0) prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
  }
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {{kKept, kKept, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, data) != 0) Log("cannot drop capabilities", "", errno);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  signal(SIGPIPE, SIG_IGN);
}

int Main(int argc, char** argv) {
  Options options;
  if (!ParseFlags(argc, argv, &options)) {
    fputs(kUsage, stderr);
    return 2;
  }
  Harden();
  // Never destroyed: its descriptors are other processes', too.
  alignas(Keeper) static char memory[sizeof(Keeper)];
  Keeper* const keeper = new (memory) Keeper(options);
  if (keeper->Start() != 0) return 1;
  keeper->Run();
  Log("a new keeper has taken over", "", 0);
  return 0;
}

}  // namespace
}  // namespace escagent::keeper

int main(int argc, char** argv) { _exit(escagent::keeper::Main(argc, argv)); }
