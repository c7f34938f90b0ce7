#include "fuse/keeper/target_path.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <string>

namespace escagent::keeper {
namespace {

namespace fs = std::filesystem;

using Opener = UniqueFd (*)(int, const char*, int);

class TargetPath : public ::testing::TestWithParam<Opener> {
 protected:
  TargetPath() : root_(::testing::TempDir() + "/target_path.XXXXXX") {
    EXPECT_NE(mkdtemp(root_.data()), nullptr);
    fs::create_directories(root_ + "/pods/a/volumes/kubernetes.io~csi/v");
    fs::create_directory_symlink("a", root_ + "/pods/link");
    fs::create_directories(root_ + "/pods/b/volumes/kubernetes.io~csi");
    fs::create_directory_symlink(root_ + "/pods/a/volumes/kubernetes.io~csi/v",
                                 root_ + "/pods/b/volumes/kubernetes.io~csi/v");
    kubelet_.Reset(open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~TargetPath() override { fs::remove_all(root_); }

  UniqueFd Open(const std::string& pod, const std::string& name) const {
    return GetParam()(kubelet_.Get(),
                      ("pods/" + pod + "/volumes/kubernetes.io~csi/" + name).c_str(), O_DIRECTORY);
  }
  int ErrnoOf(const std::string& pod, const std::string& name) const {
    return Open(pod, name) ? 0 : errno;
  }

  std::string root_;
  UniqueFd kubelet_;
};

TEST_P(TargetPath, OpensTheFolder) {
  const UniqueFd folder = Open("a", "v");
  ASSERT_TRUE(folder);
  struct stat opened = {};
  struct stat wanted = {};
  ASSERT_EQ(fstat(folder.Get(), &opened), 0);
  ASSERT_EQ(stat((root_ + "/pods/a/volumes/kubernetes.io~csi/v").c_str(), &wanted), 0);
  EXPECT_EQ(opened.st_ino, wanted.st_ino);
}

TEST_P(TargetPath, RefusesSymlinksAndWhatIsNotThere) {
  EXPECT_EQ(ErrnoOf("nobody", "v"), ENOENT);
  EXPECT_EQ(ErrnoOf("a", "w"), ENOENT);
  for (const char* const pod : {"link", "b"}) {
    const int error = ErrnoOf(pod, "v");
    EXPECT_TRUE(error == ELOOP || error == ENOTDIR) << pod << " " << error;
  }
  for (const char* const path : {"..", "pods/../..", "/etc", "pods/../../etc", ""}) {
    EXPECT_FALSE(GetParam()(kubelet_.Get(), path, 0)) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, TargetPath, ::testing::Values(&OpenBeneath, &OpenBeneathStepwise));

TEST(SplitTarget, KnowsItsOwnPathsOnly) {
  const char* pod = nullptr;
  const char* name = nullptr;
  std::string path = "pods/uid-1/volumes/kubernetes.io~csi/secrets/mount";
  ASSERT_TRUE(SplitTarget(path.data(), &pod, &name));
  EXPECT_STREQ(pod, "uid-1");
  EXPECT_STREQ(name, "secrets");
  for (std::string other :
       {"", "mount", "/mount", "pods/", "pods/mount", "pods/a/volumes/kubernetes.io~csi/mount",
        "pods/a/volumes/kubernetes.io~csi//mount", "pods/a/volumes/kubernetes.io~csi/v/mount2",
        "pods/a/b/volumes/kubernetes.io~csi/v/mount", "pods/a/volumes/kubernetes.io~csi/v/w/mount",
        "pods/../volumes/kubernetes.io~csi/v/mount",
        "plugins/a/volumes/kubernetes.io~csi/v/mount"}) {
    EXPECT_FALSE(SplitTarget(other.data(), &pod, &name)) << other;
  }
}

}  // namespace
}  // namespace escagent::keeper
