#include <getopt.h>
#include <libgen.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include "fuse/keeper/keeper.h"

namespace escagent::keeper {
namespace {
Options options;  // of the process, for what a signal does
constexpr const char kUsage[] =
    "esc-keeper --socket PATH --kubelet-dir DIR [options]\n"
    "  --csi-socket PATH           listen for kubelet's CSI calls, for the agents\n"
    "  --registration-socket PATH  and for its plugin registration\n"
    "  --agent-uid UID             the agents' user (default: who owns the folder of --socket)\n"
    "  --watchdog SECONDS          abort volumes that nobody serves for so long (default 60)\n"
    "Takes over from an esc-keeper that listens at --socket already.\n";
constexpr int kValue = required_argument;
constexpr option kFlags[] = {
    {"socket", kValue, nullptr, 's'},     {"kubelet-dir", kValue, nullptr, 'k'},
    {"csi-socket", kValue, nullptr, 'c'}, {"registration-socket", kValue, nullptr, 'r'},
    {"agent-uid", kValue, nullptr, 'u'},  {"watchdog", kValue, nullptr, 'w'},
    {"help", no_argument, nullptr, 'h'},  {}};

// Whether there is all that is needed.
bool ParseFlags(int argc, char** argv) {
  unsigned uid = UINT_MAX;
  unsigned watchdog = 60;
  char rest = 0;
  for (int flag = 0; (flag = getopt_long(argc, argv, "", kFlags, nullptr)) != -1;) {
    if (flag == 's') options.socket = optarg;
    if (flag == 'k') options.kubelet_dir = optarg;
    if (flag == 'c') options.csi_socket = optarg;
    if (flag == 'r') options.registration_socket = optarg;
    if (flag == 'u' && sscanf(optarg, "%u%c", &uid, &rest) != 1) return false;
    if (flag == 'w' && sscanf(optarg, "%u%c", &watchdog, &rest) != 1) return false;
    if (flag == 'h') exit(fputs(kUsage, stdout) < 0);
    if (flag == '?') return false;
  }
  if (options.socket == nullptr || options.kubelet_dir == nullptr || optind != argc) return false;
  char folder[PATH_MAX];
  snprintf(folder, sizeof folder, "%s", options.socket);
  struct stat found = {};
  if (uid == UINT_MAX && stat(dirname(folder), &found) == 0) uid = found.st_uid;
  options.uid = uid;
  options.watchdog_ms = watchdog * 1000L;
  return true;
}

// What a container may lack the right to do is not missed. There is no seccomp filter: what this
// program is for (mount, fsopen, move_mount, ...) is what one would want to take away.
void Harden() {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // which rules core dumps out, too
  const rlimit files = {kMaxDescriptors, kMaxDescriptors};
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) Log("has few descriptors", "", errno);
  constexpr std::uint32_t kKept =
      1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_KILL | 1U << CAP_SYS_ADMIN;
  for (int i = 0; i <= CAP_LAST_CAP; ++i) {
    if (i >= 32 || (kKept >> i & 1) == 0) prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
  }
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {{kKept, kKept, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, data) != 0) Log("cannot drop capabilities", "", errno);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

// SIGTERM, which comes only between messages. Sockets without a listener are in kubelet's way.
void Stop(int) {
  for (const char* path : {options.registration_socket, options.csi_socket, options.socket}) {
    if (path != nullptr) unlink(path);
  }
  _exit(0);
}
}  // namespace
}  // namespace escagent::keeper

int main(int argc, char** argv) {
  using namespace escagent::keeper;
  if (!ParseFlags(argc, argv)) return fputs(kUsage, stderr), 2;
  Harden();
  Keeper keeper(options);
  const char* path = nullptr;
  const int error = keeper.Start(&path);
  Log(error == 0 ? "keeper serves" : "cannot start", error == 0 ? "" : path, error);
  if (error == 0) signal(SIGTERM, Stop), keeper.Run();
  _exit(error != 0);  // without closing descriptors one by one: others have them, too
}
