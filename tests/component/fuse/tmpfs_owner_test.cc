// backend: tmpfs written by an agent that may not give files away, and asks a keeper to.

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "fuse/atomic_writer.h"
#include "fuse/mount_ops.h"
#include "fuse/tmpfs_mount.h"
#include "tests/component/fuse/mount_fixture.h"

namespace escagent::fuse {
namespace {

constexpr uid_t kAgent = 65532;

class TmpfsOwnerTest : public MountTest {};

// As root for the length of one call: what a keeper does for an agent.
Status ChownAsKeeper(int root, std::string_view path, uid_t uid, gid_t gid) {
  syscall(SYS_setresuid, -1, 0, -1);
  const int done = fchownat(root, std::string(path).c_str(), uid, gid, AT_SYMLINK_NOFOLLOW);
  const int error = errno;
  syscall(SYS_setresuid, -1, kAgent, -1);
  if (done != 0) return ErrnoError(error, "chown");
  return {};
}

TEST_F(TmpfsOwnerTest, AnAgentWithoutPrivilegesRotatesWhatIsNotItsOwn) {
  const std::string mountpoint = NewFolder("volume");
  const auto below = [&mountpoint](const std::string& name) { return mountpoint + "/" + name; };
  auto mounted = MountTmpfs(mountpoint, MountOptions(), 0755, 1U << 20);
  ASSERT_TRUE(mounted) << mounted.error().message;
  UniqueFd root = *std::move(mounted);
  ASSERT_EQ(fchownat(root.Get(), "", kAgent, kAgent, AT_EMPTY_PATH), 0);
  const int root_fd = root.Get();
  int calls = 0;
  // Raw, so that only this thread changes: effective user and group, back to root when asked.
  std::jthread([&] {
    ASSERT_EQ(syscall(SYS_setgroups, 0, nullptr), 0);
    ASSERT_EQ(syscall(SYS_setresgid, -1, kAgent, -1), 0);
    ASSERT_EQ(syscall(SYS_setresuid, -1, kAgent, -1), 0);
    AtomicWriter writer(std::move(root), [&](std::string_view path, uid_t uid, gid_t gid) {
      ++calls;
      return ChownAsKeeper(root_fd, path, uid, gid);
    });
    VolumeSpec spec = SpecOf({{"key", "0"}, {"d/e/inner", "0"}});
    for (FileSpec& file : spec.files) file.mode = 0400;
    spec.uid = 1001;
    spec.gid = 2002;
    spec.folder_mode = 0700;
    for (int i = 1; i <= 5; ++i) {
      spec.files[0].content = Bytes(std::to_string(i));
      const Status published = writer.Publish(spec);
      ASSERT_TRUE(published) << published.error().message;
      EXPECT_TRUE(writer.Shows(spec));
    }
    EXPECT_EQ(ReadPath(below("key")).error(), EACCES);
    // A successor cannot read what is there, and so it writes it anew.
    AtomicWriter successor(UniqueFd(fcntl(root_fd, F_DUPFD_CLOEXEC, 0)),
                           [&](std::string_view path, uid_t uid, gid_t gid) {
                             return ChownAsKeeper(root_fd, path, uid, gid);
                           });
    EXPECT_FALSE(successor.Shows(spec));
    const Status published = successor.Publish(spec);
    ASSERT_TRUE(published) << published.error().message;
    EXPECT_TRUE(successor.Shows(spec));
  }).join();
  // Two files and three folders each time; three old generations taken back, with two folders each.
  EXPECT_EQ(calls, 5 * 5 + 3 * 3);
  EXPECT_EQ(ListOf(mountpoint).size(), 2U + 2 + 3);
  EXPECT_EQ(StatOf(below("..data/d/e/inner"))->st_uid, 1001U);
  EXPECT_EQ(StatOf(below("..data/d/"))->st_gid, 2002U);
  std::jthread([&] {
    ASSERT_EQ(syscall(SYS_setgroups, 0, nullptr), 0);
    ASSERT_EQ(syscall(SYS_setresgid, 2002, 2002, 2002), 0);
    ASSERT_EQ(syscall(SYS_setresuid, 1001, 1001, 1001), 0);
    EXPECT_EQ(*ReadPath(below("key")), "5");
    EXPECT_EQ(*ReadPath(below("d/e/inner")), "0");
  }).join();
  EXPECT_TRUE(DetachTop(mountpoint));
}

}  // namespace
}  // namespace escagent::fuse
