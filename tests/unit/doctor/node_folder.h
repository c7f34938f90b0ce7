#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "agent/doctor/node_files.h"

namespace escagent::doctor {

// A folder in place of "/", with the files of a node on which all is well.
class NodeFolder {
 public:
  NodeFolder() {
    std::string pattern = ::testing::TempDir() + "/doctor.XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    root_ = pattern;
    Write("/proc/sys/kernel/osrelease", "6.12.4-amd64\n");
    Write("/proc/filesystems", "nodev\ttmpfs\n\text4\nnodev\tfuse\nnodev\tfusectl\n");
    Write("/proc/swaps", kNoSwaps);
    Write("/proc/self/limits",
          "Limit                     Soft Limit           Hard Limit           Units     \n"
          "Max locked memory         67108864             67108864             bytes     \n");
    WriteStatus("65532", "0000000000000000", "2");
    Write("/proc/self/mountinfo",
          "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
          "2 1 8:1 / /var/lib/kubelet/pods rw shared:7 - ext4 /dev/sda rw\n");
    std::filesystem::create_directories(root_ + "/var/lib/kubelet/pods");
    std::filesystem::create_directories(root_ + "/dev");
    // A character device that everybody may open.
    std::filesystem::create_symlink("/dev/null", root_ + "/dev/fuse");
  }
  ~NodeFolder() { std::filesystem::remove_all(root_); }
  NodeFolder(const NodeFolder&) = delete;
  NodeFolder& operator=(const NodeFolder&) = delete;

  void Write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  void WriteStatus(const std::string& uid, const std::string& capabilities,
                   const std::string& seccomp) const {
    Write("/proc/self/status", "Name:\tx\nUid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid +
                                   "\nCapEff:\t" + capabilities + "\nSeccomp:\t" + seccomp + "\n");
  }
  void Remove(const std::string& path) const { std::filesystem::remove(root_ + path); }

  const std::string& root() const { return root_; }
  NodeFiles files() const { return NodeFiles(root_); }

  static constexpr char kNoSwaps[] = "Filename\tType\tSize\tUsed\tPriority\n";
  static constexpr char kSwaps[] =
      "Filename\tType\tSize\tUsed\tPriority\n/dev/sdb\tpartition\t1\t0\t-2\n";

 private:
  std::string root_;
};

}  // namespace escagent::doctor
