#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "fuse/atomic_writer.h"
#include "tests/unit/fuse/spec_builder.h"

namespace escagent::fuse {

// A folder of each test's own for a writer. Works for any user.
class AtomicWriterTest : public ::testing::Test {
 protected:
  AtomicWriterTest() : base_(::testing::TempDir() + "atomic_writer.XXXXXX") {
    if (mkdtemp(base_.data()) == nullptr) ADD_FAILURE() << "mkdtemp: errno " << errno;
    root_ = base_ + "/root";
    if (mkdir(root_.c_str(), 0700) != 0) ADD_FAILURE() << "mkdir: errno " << errno;
  }
  ~AtomicWriterTest() override {
    // What a test left without permissions.
    std::error_code ignored;
    using std::filesystem::perms;
    using std::filesystem::recursive_directory_iterator;
    for (auto it = recursive_directory_iterator(base_, ignored);
         it != recursive_directory_iterator(); it.increment(ignored)) {
      if (it->is_directory(ignored) && !it->is_symlink(ignored)) {
        std::filesystem::permissions(it->path(), perms::owner_all, ignored);
      }
    }
    std::filesystem::remove_all(base_, ignored);
  }

  UniqueFd OpenRoot() const {
    return UniqueFd(open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  AtomicWriter NewWriter(ChownFunction chown = {}) const {
    return AtomicWriter(OpenRoot(), std::move(chown));
  }

  // With files that are ours, so that nobody needs to give any away.
  static VolumeSpec OwnSpec(const std::vector<std::pair<std::string, std::string>>& files) {
    VolumeSpec spec = SpecOf(files);
    spec.uid = geteuid();
    spec.gid = getegid();
    return spec;
  }

  std::string Path(const std::string& name) const { return root_ + "/" + name; }

  // "(errno 2)" and the like when it cannot be read.
  static std::string ReadPath(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return "(errno " + std::to_string(errno) + ")";
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::string Read(const std::string& name) const { return ReadPath(Path(name)); }
  std::string LinkOf(const std::string& name) const {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(Path(name), error);
    return error ? "(no link)" : target.string();
  }
  mode_t ModeOf(const std::string& name) const {
    struct stat found = {};
    EXPECT_EQ(lstat(Path(name).c_str(), &found), 0) << name;
    return found.st_mode;
  }
  std::set<std::string> ListOf(const std::string& name) const {
    std::set<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(Path(name), error)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  // Numbers of the generations' folders.
  std::vector<std::uint64_t> Generations() const {
    std::vector<std::uint64_t> numbers;
    for (const std::string& name : ListOf("")) {
      if (name.starts_with("..") && name != "..data" && name != "..data_tmp") {
        numbers.push_back(std::stoull(name.substr(2)));
      }
    }
    return numbers;
  }

  // What is in the root, with generations' numbers taken out: "key" -> "link ..data/key",
  // "..N/d" -> "folder 0755", "..N/d/f" -> "0444 bytes". The generation ..data leads to is "..N",
  // others are "..N-1" and so on.
  std::map<std::string, std::string> Snapshot() const {
    namespace fs = std::filesystem;
    std::map<std::string, std::string> found;
    const auto numbers = Generations();
    const auto name_of = [&](const std::string& folder) {
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (folder != ".." + std::to_string(numbers[i])) continue;
        const std::size_t age = numbers.size() - 1 - i;
        return age == 0 ? std::string("..N") : "..N-" + std::to_string(age);
      }
      return folder;
    };
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      fs::path relative = fs::relative(entry.path().parent_path(), root_) / entry.path().filename();
      std::string name;
      for (const fs::path& part : relative) {
        if (part == ".") continue;
        name += (name.empty() ? name_of(part.string()) : "/" + part.string());
      }
      char mode[8];
      struct stat status = {};
      EXPECT_EQ(lstat(entry.path().c_str(), &status), 0);
      std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777));
      if (entry.is_symlink()) {
        found[name] = "link " + name_of(fs::read_symlink(entry.path()).string());
      } else if (entry.is_directory()) {
        found[name] = std::string("folder ") + mode;
      } else {
        found[name] = std::string(mode) + " " + ReadPath(entry.path().string());
      }
    }
    return found;
  }

  std::string base_;
  std::string root_;
};

}  // namespace escagent::fuse
