#include <gtest/gtest.h>

#include <cerrno>

#include "agent/doctor/kernel_checks.h"
#include "agent/doctor/process_checks.h"
#include "tests/unit/doctor/node_folder.h"

namespace escagent::doctor {
namespace {

constexpr char kAllCapabilities[] = "000001ffffffffff";

class NodeChecksTest : public ::testing::Test {
 protected:
  // The finding of a check about the kernel, with every new system call there or none.
  Finding Kernel(const std::string& release, const std::string& check, int error = EINVAL) const {
    node_.Write("/proc/sys/kernel/osrelease", release + "\n");
    for (Finding& finding : CheckKernel(node_.files(), [error](long) { return error; })) {
      if (finding.check == check) return finding;
    }
    return Failed(check, "there is no such finding", "");
  }

  NodeFolder node_;
};

TEST_F(NodeChecksTest, Kernel) {
  EXPECT_EQ(Kernel("6.12.4-amd64", "kernel").verdict, Verdict::kOk);
  EXPECT_EQ(Kernel("6.12.4-amd64", "kernel").text, "Linux 6.12.4-amd64");
  EXPECT_EQ(Kernel("5.4.0", "kernel").verdict, Verdict::kOk);
  EXPECT_EQ(Kernel("5.3.18", "kernel").verdict, Verdict::kFailed);
  EXPECT_EQ(Kernel("4.18.0-553.el8", "kernel").verdict, Verdict::kFailed);
  EXPECT_EQ(Kernel("unknown", "kernel").verdict, Verdict::kSkipped);
  node_.Remove("/proc/sys/kernel/osrelease");
  EXPECT_EQ(CheckKernel(node_.files(), TrySystemCall).at(0).verdict, Verdict::kSkipped);
}

TEST_F(NodeChecksTest, ResendCameWithLinux69) {
  EXPECT_EQ(Kernel("6.9.0", "FUSE_NOTIFY_RESEND").verdict, Verdict::kOk);
  EXPECT_EQ(Kernel("6.10.0", "FUSE_NOTIFY_RESEND").verdict, Verdict::kOk);
  EXPECT_EQ(Kernel("6.8.12", "FUSE_NOTIFY_RESEND").verdict, Verdict::kWarning);
  EXPECT_EQ(Kernel("5.15.0", "FUSE_NOTIFY_RESEND").verdict, Verdict::kWarning);
}

TEST_F(NodeChecksTest, TmpfsMayBeSwappedByAnOldKernelWithSwapOnly) {
  EXPECT_EQ(Kernel("6.1.0", "tmpfs without swap").verdict, Verdict::kOk);
  node_.Write("/proc/swaps", NodeFolder::kSwaps);
  EXPECT_EQ(Kernel("6.4.0", "tmpfs without swap").verdict, Verdict::kOk);
  EXPECT_EQ(Kernel("6.3.9", "tmpfs without swap").verdict, Verdict::kWarning);
}

TEST_F(NodeChecksTest, SystemCallsThatOnlyAnOldKernelLacks) {
  EXPECT_EQ(Kernel("5.4.0", "system calls").verdict, Verdict::kOk) << "a distribution added them";
  const Finding old = Kernel("5.10.0", "system calls", ENOSYS);
  EXPECT_EQ(old.verdict, Verdict::kWarning);
  EXPECT_NE(old.text.find("no mount_setattr"), std::string::npos) << old.text;
  EXPECT_EQ(Kernel("6.1.0", "system calls", ENOSYS).verdict, Verdict::kOk)
      << "a seccomp profile hides them from this process";
}

TEST_F(NodeChecksTest, TheSystemCallsOfThisKernelAreFound) {
  EXPECT_EQ(CheckKernel(NodeFiles(), TrySystemCall).back().verdict, Verdict::kOk);
  EXPECT_EQ(TrySystemCall(100000), ENOSYS);
}

TEST_F(NodeChecksTest, FuseDevice) {
  EXPECT_EQ(CheckFuse(node_.files(), Vantage::kMounter).at(0).verdict, Verdict::kOk);
  node_.Remove("/dev/fuse");
  const Finding missing = CheckFuse(node_.files(), Vantage::kMounter).at(0);
  EXPECT_EQ(missing.verdict, Verdict::kFailed);
  EXPECT_NE(missing.advice.find("modprobe fuse"), std::string::npos) << missing.advice;
  EXPECT_EQ(CheckFuse(node_.files(), Vantage::kAgent).at(0).verdict, Verdict::kSkipped);
  node_.Write("/dev/fuse", "a file");
  EXPECT_EQ(CheckFuse(node_.files(), Vantage::kMounter).at(0).text, "is no device");
}

TEST_F(NodeChecksTest, FuseInTheKernel) {
  EXPECT_EQ(CheckFuse(node_.files(), Vantage::kMounter).at(1).verdict, Verdict::kOk);
  node_.Write("/proc/filesystems", "nodev\tfusectl\n\tfuseblk\n");
  EXPECT_EQ(CheckFuse(node_.files(), Vantage::kMounter).at(1).verdict, Verdict::kFailed);
  EXPECT_EQ(CheckFuse(node_.files(), Vantage::kAgent).at(1).verdict, Verdict::kWarning);
}

TEST_F(NodeChecksTest, PropagationOfTheMountThatHoldsThePods) {
  const auto check = [&](Vantage vantage) {
    return CheckPropagation(node_.files(), "/var/lib/kubelet", vantage);
  };
  EXPECT_EQ(check(Vantage::kMounter).verdict, Verdict::kOk);
  EXPECT_EQ(check(Vantage::kAgent).verdict, Verdict::kSkipped);
  // The nearest mount counts, and the last one at a place.
  node_.Write("/proc/self/mountinfo",
              "1 0 8:1 / / rw shared:1 - ext4 /dev/sda rw\n"
              "2 1 8:1 / /var/lib/kubelet rw shared:7 - ext4 /dev/sda rw\n"
              "3 2 8:1 / /var/lib/kubelet rw master:7 - ext4 /dev/sda rw\n");
  const Finding slave = check(Vantage::kMounter);
  EXPECT_EQ(slave.verdict, Verdict::kFailed);
  EXPECT_NE(slave.advice.find("Bidirectional"), std::string::npos) << slave.advice;
  // A neighbour whose name begins alike does not hold it.
  node_.Write("/proc/self/mountinfo",
              "1 0 8:1 / / rw shared:1 - ext4 /dev/sda rw\n"
              "2 1 8:1 / /var/lib/kube rw - ext4 /dev/sda rw\n");
  EXPECT_EQ(check(Vantage::kMounter).verdict, Verdict::kOk);
  EXPECT_EQ(CheckPropagation(node_.files(), "/var/lib/k3s", Vantage::kMounter).verdict,
            Verdict::kFailed);
}

TEST_F(NodeChecksTest, LockedMemory) {
  EXPECT_EQ(CheckLockedMemory(node_.files()).verdict, Verdict::kOk);
  node_.Write("/proc/self/limits", "Max locked memory         65536    65536    bytes\n");
  EXPECT_EQ(CheckLockedMemory(node_.files()).verdict, Verdict::kOk) << "no swap";
  node_.Write("/proc/swaps", NodeFolder::kSwaps);
  const Finding little = CheckLockedMemory(node_.files());
  EXPECT_EQ(little.verdict, Verdict::kWarning);
  EXPECT_NE(little.text.find("64 KiB"), std::string::npos) << little.text;
  node_.WriteStatus("0", kAllCapabilities, "0");
  EXPECT_EQ(CheckLockedMemory(node_.files()).verdict, Verdict::kOk) << "CAP_IPC_LOCK";
  node_.WriteStatus("65532", "0", "2");
  node_.Write("/proc/self/limits", "Max locked memory         unlimited    unlimited    bytes\n");
  EXPECT_EQ(CheckLockedMemory(node_.files()).verdict, Verdict::kOk);
}

TEST_F(NodeChecksTest, PrivilegesOfTheAgentsContainer) {
  EXPECT_EQ(CheckPrivileges(node_.files(), Vantage::kAgent, true).verdict, Verdict::kOk);
  EXPECT_EQ(CheckPrivileges(node_.files(), Vantage::kAgent, false).verdict, Verdict::kSkipped);
  node_.WriteStatus("0", "00000000a80425fb", "0");
  const Finding much = CheckPrivileges(node_.files(), Vantage::kAgent, true);
  EXPECT_EQ(much.verdict, Verdict::kWarning);
  for (const char* part : {"root", "capabilities", "seccomp"}) {
    EXPECT_NE(much.text.find(part), std::string::npos) << part << " in " << much.text;
  }
}

TEST_F(NodeChecksTest, WhoMountsNeedsAPrivilege) {
  EXPECT_EQ(CheckPrivileges(node_.files(), Vantage::kMounter, true).verdict, Verdict::kFailed);
  node_.WriteStatus("0", kAllCapabilities, "0");
  EXPECT_EQ(CheckPrivileges(node_.files(), Vantage::kMounter, true).verdict, Verdict::kOk);
}

}  // namespace
}  // namespace escagent::doctor
