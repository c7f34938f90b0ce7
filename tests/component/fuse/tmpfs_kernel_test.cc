// backend: tmpfs on kernels that cannot do all of it, played by a seccomp filter.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <functional>

#include "fuse/mount_info.h"
#include "fuse/mount_ops.h"
#include "fuse/tmpfs_mount.h"
#include "tests/component/fuse/mount_fixture.h"

namespace escagent::fuse {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kSize = 1U << 20;

// From now on `call` fails with `error` in this process; only with this second argument if it is
// not negative.
bool Fail(long call, int error, int argument = -1) {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  if (argument >= 0) {
    program.insert(program.end(),
                   {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
                    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(argument), 1, 0),
                    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)});
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)));
  const sock_fprog filter = {.len = static_cast<unsigned short>(program.size()),
                             .filter = program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

class TmpfsKernelTest : public MountTest {
 protected:
  TmpfsKernelTest() : mountpoint_(NewFolder("volume")) {}

  // What a child process wrote to stderr. It shares our mount namespace.
  static std::string Run(const std::function<void()>& body) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const pid_t child = fork();
    if (child == 0) {
      dup2(writing.Get(), STDERR_FILENO);
      body();
      _exit(0);
    }
    writing.Reset();
    const auto text = ReadAll(reading);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return text.value_or("(unreadable)");
  }
  std::string MountWithout(long call, int error, int argument = -1) const {
    return Run([&] {
      if (!Fail(call, error, argument)) dprintf(STDERR_FILENO, "no filter");
      const auto root = MountTmpfs(mountpoint_, MountOptions(), 0755, kSize);
      dprintf(STDERR_FILENO, "%s", root ? "mounted" : root.error().ToString().c_str());
    });
  }
  std::vector<MountInfo> Layers() const { return LayersAt(*ReadMountInfo(), mountpoint_); }

  std::string mountpoint_;
};

TEST_F(TmpfsKernelTest, TooOldKernelsAreToldSo) {
  for (const long call : {SYS_fsopen, SYS_mount_setattr, SYS_move_mount, SYS_open_tree}) {
    const std::string said = MountWithout(call, ENOSYS);
    EXPECT_THAT(said, HasSubstr("FAILED_PRECONDITION: mount a tmpfs at " + mountpoint_)) << call;
    EXPECT_THAT(said, HasSubstr("needs Linux 5.12 or newer, use backend fuse")) << call;
    EXPECT_TRUE(Layers().empty()) << call;
  }
}

TEST_F(TmpfsKernelTest, WithoutNoSwapItMountsAndWarns) {
  const std::string said = MountWithout(SYS_fsconfig, EINVAL, FSCONFIG_SET_FLAG);
  EXPECT_THAT(said, HasSubstr("\"level\":\"warn"));
  EXPECT_THAT(said, HasSubstr("swap"));
  EXPECT_THAT(said, HasSubstr("mounted"));
  ASSERT_EQ(Layers().size(), 1U);
  EXPECT_THAT(Layers()[0].super_options, Not(HasSubstr("noswap")));
  EXPECT_THAT(Layers()[0].options, HasSubstr("ro,nosuid,nodev,noexec"));
  EXPECT_TRUE(DetachTop(mountpoint_));
}

}  // namespace
}  // namespace escagent::fuse
