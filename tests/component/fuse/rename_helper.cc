#include "tests/component/fuse/rename_helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "fuse/mount_ops.h"

namespace escagent::fuse {
namespace {

void Require(bool done, const char* what) {
  if (!done) throw std::system_error(errno, std::generic_category(), what);
}

void SetReadOnly(int mount, std::uint64_t set, std::uint64_t clear, std::uint64_t propagation) {
  mount_attr attributes = {};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  attributes.propagation = propagation;
  Require(mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0,
          "mount_setattr");
}

int ErrnoOf(int result) { return result == 0 ? 0 : errno; }

// What is in a folder, without what begins with "..".
std::vector<std::string> NamesIn(int parent, const std::string& path) {
  std::vector<std::string> names;
  const int fd = openat(parent, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR* const folder = fd < 0 ? nullptr : fdopendir(fd);
  if (folder == nullptr) return names;
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && !name.starts_with("..")) names.push_back(name);
  }
  closedir(folder);
  return names;
}

int TouchBelow(int parent, const std::string& path) {
  for (const std::string& name : NamesIn(parent, path)) {
    const std::string below = path + "/" + name;
    struct stat found = {};
    if (fstatat(parent, below.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    const int error = S_ISDIR(found.st_mode)
                          ? TouchBelow(parent, below)
                          : ErrnoOf(utimensat(parent, below.c_str(), nullptr, AT_SYMLINK_NOFOLLOW));
    if (error != 0) return error;
  }
  return 0;
}

}  // namespace

MountPair MountTwice(const std::string& pod_side) {
  MountPair made;
  made.device.Reset(open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  Require(made.device.Get() >= 0, "open /dev/fuse");
  const UniqueFd context(fsopen("fuse", FSOPEN_CLOEXEC));
  const auto set = [&](unsigned command, const char* key, const std::string& value) {
    Require(fsconfig(context.Get(), command, key,
                     command == FSCONFIG_SET_FLAG ? nullptr : value.c_str(), 0) == 0,
            key);
  };
  set(FSCONFIG_SET_STRING, "source", "esc-agent");
  set(FSCONFIG_SET_STRING, "subtype", "esc-agent");
  set(FSCONFIG_SET_STRING, "fd", std::to_string(made.device.Get()));
  set(FSCONFIG_SET_STRING, "rootmode", "40755");
  set(FSCONFIG_SET_STRING, "user_id", "0");
  set(FSCONFIG_SET_STRING, "group_id", "0");
  set(FSCONFIG_SET_FLAG, "allow_other", "");
  set(FSCONFIG_SET_FLAG, "default_permissions", "");
  Require(fsconfig(context.Get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0, "fsconfig");
  const UniqueFd pod(fsmount(context.Get(), FSMOUNT_CLOEXEC,
                             MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  Require(pod.Get() >= 0, "fsmount");
  Require(move_mount(pod.Get(), "", AT_FDCWD, pod_side.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0,
          "move_mount");
  made.root.Reset(open_tree(pod.Get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  Require(made.root.Get() >= 0, "open_tree");
  SetReadOnly(made.root.Get(), 0, MOUNT_ATTR_RDONLY, MS_PRIVATE);
  return made;
}

RenameHelper::RenameHelper(int root, std::uint64_t old_generation, std::uint64_t new_generation)
    : root_(root),
      old_folder_(".." + std::to_string(old_generation)),
      new_folder_(".." + std::to_string(new_generation)) {}

int RenameHelper::MakeFolder() const {
  const int error = ErrnoOf(mkdirat(root_, new_folder_.c_str(), 0755));
  return error == EEXIST ? 0 : error;
}

int RenameHelper::MakeLink() const {
  const auto make = [this] { return ErrnoOf(symlinkat(new_folder_.c_str(), root_, "..data_tmp")); };
  const int error = make();
  if (error != EEXIST) return error;
  const int removed = ErrnoOf(unlinkat(root_, "..data_tmp", 0));
  return removed != 0 ? removed : make();
}

int RenameHelper::Rename() const { return ErrnoOf(renameat(root_, "..data_tmp", root_, "..data")); }

int RenameHelper::AddKeys() const {
  for (const std::string& key : NamesIn(root_, new_folder_)) {
    const int error = ErrnoOf(symlinkat(("..data/" + key).c_str(), root_, key.c_str()));
    if (error != 0 && error != EEXIST) return error;
  }
  return 0;
}

int RenameHelper::RemoveKeys() const {
  const std::vector<std::string> kept = NamesIn(root_, new_folder_);
  for (const std::string& key : NamesIn(root_, old_folder_)) {
    if (std::ranges::find(kept, key) != kept.end()) continue;
    const int error = ErrnoOf(unlinkat(root_, key.c_str(), 0));
    if (error != 0 && error != ENOENT) return error;
  }
  return 0;
}

int RenameHelper::Touch() const { return TouchBelow(root_, old_folder_); }

std::vector<std::function<int()>> RenameHelper::Steps() const {
  return {[this] { return MakeFolder(); }, [this] { return MakeLink(); },
          [this] { return Rename(); },     [this] { return AddKeys(); },
          [this] { return RemoveKeys(); }, [this] { return Touch(); }};
}

int RenameHelper::Run() const {
  for (const auto& step : Steps()) {
    if (const int error = step()) return error;
  }
  return 0;
}

}  // namespace escagent::fuse
