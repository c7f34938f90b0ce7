#include "fuse/tmpfs_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "fuse/path_rules.h"

namespace escagent::fuse {
namespace {

constexpr mode_t kModeBits = 07777;
constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string Quoted(std::string_view path) { return "\"" + PrintablePath(path) + "\""; }

bool HasAttributes(int fd, mode_t type, mode_t mode, const Generation& generation,
                   struct stat& found) {
  return fstat(fd, &found) == 0 && (found.st_mode & S_IFMT) == type &&
         (found.st_mode & kModeBits) == mode && found.st_uid == generation.Uid() &&
         found.st_gid == generation.Gid();
}

// Looks at the pages of the file itself: its bytes are not copied.
bool HasBytes(int fd, std::size_t size, const Secret& content) {
  if (size != content.Size()) return false;
  if (size == 0) return true;
  void* const at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) return false;
  const bool equal = content.Equals(std::string_view(static_cast<const char*>(at), size));
  munmap(at, size);
  return equal;
}

bool FileMatches(int parent, const std::string& name, const Generation& generation,
                 const GenerationNode& node) {
  const UniqueFd fd(openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat found = {};
  return fd && HasAttributes(fd.Get(), S_IFREG, node.mode, generation, found) &&
         HasBytes(fd.Get(), static_cast<std::size_t>(found.st_size), *node.content);
}

}  // namespace

Result<TmpfsFiles> TmpfsFiles::Open(const UniqueFd& root, const ChownFunction& chown) {
  UniqueFd folder(openat(root.Get(), ".", kOpenFolder));
  if (!folder) return ErrnoError(errno, "open the root folder of the tmpfs");
  return TmpfsFiles(std::move(folder), chown);
}

std::unexpected<Error> TmpfsFiles::Failed(int error_number, const std::string& what) const {
  struct statvfs limits = {};
  if (error_number != ENOSPC || fstatvfs(root_.Get(), &limits) != 0) {
    return ErrnoError(error_number, what);
  }
  return MakeError(
      Code::kResourceExhausted,
      what + ": the volume's memory is full; it may have " +
          std::to_string(limits.f_blocks * limits.f_frsize) + " bytes and " +
          std::to_string(limits.f_files) +
          " files, for the values of now and of up to two rotations before; mount less of the "
          "environment (path, items), or use backend fuse");
}

Result<std::vector<std::string>> TmpfsFiles::List(int folder, const std::string& path) const {
  // With a position of its own.
  UniqueFd fd(openat(folder, ".", kOpenFolder));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fd ? fdopendir(fd.Get()) : nullptr, closedir);
  if (stream == nullptr) return Failed(errno, "list folder " + Quoted(path));
  static_cast<void>(fd.Release());  // the stream's now
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* const entry = readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return Failed(errno, "list folder " + Quoted(path));
  std::ranges::sort(names);
  return names;
}

Status TmpfsFiles::Write(const Generation& generation) const {
  const std::string& name = generation.FolderName();
  return WriteFolder(root_.Get(), name, name, generation, generation.Root());
}

Status TmpfsFiles::WriteFolder(int parent, const std::string& name, const std::string& path,
                               const Generation& generation, const GenerationNode& node) const {
  if (mkdirat(parent, name.c_str(), 0700) != 0) {
    return Failed(errno, "make folder " + Quoted(path));
  }
  const UniqueFd folder(openat(parent, name.c_str(), kOpenFolder));
  if (!folder) return Failed(errno, "open folder " + Quoted(path));
  for (const GenerationNode::Child& child : node.children) {
    const GenerationNode& below = generation.Nodes()[child.slot];
    const std::string child_path = path + "/" + child.name;
    ESC_RETURN_IF_ERROR(below.is_folder
                            ? WriteFolder(folder.Get(), child.name, child_path, generation, below)
                            : WriteFile(folder.Get(), child.name, child_path, generation, below));
  }
  return Finish(folder, path, generation, node);
}

Status TmpfsFiles::WriteFile(int parent, const std::string& name, const std::string& path,
                             const Generation& generation, const GenerationNode& node) const {
  const UniqueFd file(
      openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return Failed(errno, "make file " + Quoted(path));
  std::string_view rest = node.content->Reveal();
  while (!rest.empty()) {
    const ssize_t n = write(file.Get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed(errno, "write file " + Quoted(path));
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return Finish(file, path, generation, node);
}

// The mode first: who gives a file away may not change it any more.
Status TmpfsFiles::Finish(const UniqueFd& fd, const std::string& path, const Generation& generation,
                          const GenerationNode& node) const {
  if (fchmod(fd.Get(), node.mode) != 0) return Failed(errno, "set the mode of " + Quoted(path));
  struct stat found = {};
  if (fstat(fd.Get(), &found) != 0) return Failed(errno, "look at " + Quoted(path));
  if (found.st_uid == generation.Uid() && found.st_gid == generation.Gid()) return {};
  if (*chown_) return (*chown_)(path, generation.Uid(), generation.Gid());
  if (fchown(fd.Get(), generation.Uid(), generation.Gid()) == 0) return {};
  return Failed(errno, "give " + Quoted(path) + " to user " + std::to_string(generation.Uid()) +
                           " and group " + std::to_string(generation.Gid()) +
                           " (needs root, or a keeper)");
}

bool TmpfsFiles::Matches(const std::string& name, const Generation& generation) const {
  return FolderMatches(root_.Get(), name, generation, generation.Root());
}

bool TmpfsFiles::FolderMatches(int parent, const std::string& name, const Generation& generation,
                               const GenerationNode& node) const {
  const UniqueFd folder(openat(parent, name.c_str(), kOpenFolder));
  struct stat found = {};
  if (!folder || !HasAttributes(folder.Get(), S_IFDIR, node.mode, generation, found)) return false;
  const Result<std::vector<std::string>> names = List(folder.Get(), name);
  if (!names || !std::ranges::equal(*names, node.children, {}, {}, &GenerationNode::Child::name)) {
    return false;
  }
  return std::ranges::all_of(node.children, [&](const GenerationNode::Child& child) {
    const GenerationNode& below = generation.Nodes()[child.slot];
    return below.is_folder ? FolderMatches(folder.Get(), child.name, generation, below)
                           : FileMatches(folder.Get(), child.name, generation, below);
  });
}

VolumeSize TmpfsFiles::Measure(const std::string& name) const {
  VolumeSize size;
  MeasureFolder(root_.Get(), name, size);
  return size;
}

void TmpfsFiles::MeasureFolder(int parent, const std::string& name, VolumeSize& size) const {
  ++size.inodes;
  const UniqueFd folder(openat(parent, name.c_str(), kOpenFolder));
  if (!folder) return;
  const Result<std::vector<std::string>> names = List(folder.Get(), name);
  if (!names) return;
  for (const std::string& child : *names) {
    struct stat found = {};
    if (fstatat(folder.Get(), child.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(found.st_mode)) {
      MeasureFolder(folder.Get(), child, size);
    } else {
      ++size.inodes;
      size.bytes += static_cast<std::uint64_t>(found.st_size);
    }
  }
}

Status TmpfsFiles::Remove(int parent, const std::string& name, const std::string& path) const {
  if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR) return Failed(errno, "remove " + Quoted(path));
  ESC_RETURN_IF_ERROR(TakeBack(parent, name, path));
  const UniqueFd folder(openat(parent, name.c_str(), kOpenFolder));
  if (!folder) return Failed(errno, "open folder " + Quoted(path));
  ESC_ASSIGN_OR_RETURN(const std::vector<std::string> names, List(folder.Get(), path));
  for (const std::string& child : names) {
    ESC_RETURN_IF_ERROR(Remove(folder.Get(), child, path + "/" + child));
  }
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0) return {};
  return Failed(errno, "remove folder " + Quoted(path));
}

Status TmpfsFiles::TakeBack(int parent, const std::string& name, const std::string& path) const {
  if (faccessat(parent, name.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) == 0) return {};
  struct stat found = {};
  if (fstatat(parent, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return Failed(errno, "look at " + Quoted(path));
  }
  if (found.st_uid != geteuid() && *chown_) {
    ESC_RETURN_IF_ERROR((*chown_)(path, geteuid(), getegid()));
  }
  // Follows no symlink: it is a folder, in a folder that nobody else can write to.
  if (fchmodat(parent, name.c_str(), 0700, 0) == 0) return {};
  return Failed(errno, "take folder " + Quoted(path) + " back to remove it");
}

}  // namespace escagent::fuse
