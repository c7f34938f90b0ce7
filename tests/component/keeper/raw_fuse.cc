#include "tests/component/keeper/raw_fuse.h"

#include <linux/fuse.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace escagent::keeper {
namespace {

constexpr std::uint64_t kKey = 2;
constexpr int kNotifyResend = 7;

fuse_attr Attributes(std::uint64_t inode, std::uint32_t mode, std::size_t size) {
  fuse_attr attr = {};
  attr.ino = inode;
  attr.mode = mode;
  attr.nlink = 1;
  attr.size = size;
  return attr;
}

std::string Below(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

template <class T>
T* Body(char* request) {
  return reinterpret_cast<T*>(request + sizeof(fuse_in_header));
}

}  // namespace

RawFuse::RawFuse(UniqueFd device, std::string content)
    : device_(std::move(device)), content_(std::move(content)) {
  nodes_["key"] = {.mode = S_IFREG | 0444, .target = "", .inode = kKey};
  thread_ = std::jthread([this](const std::stop_token& stop) { Serve(stop); });
}

RawFuse::~RawFuse() {
  thread_.request_stop();
  thread_.join();
}

void RawFuse::Add(const std::string& path, std::uint32_t mode) {
  const std::lock_guard<std::mutex> lock(mutex_);
  nodes_[path] = {.mode = mode, .target = "", .inode = next_inode_++};
}

void RawFuse::HangAt(const std::string& change) {
  const std::lock_guard<std::mutex> lock(mutex_);
  hang_at_ = change;
}

std::vector<std::string> RawFuse::Changes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return changes_;
}

std::string RawFuse::LinkOf(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto it = nodes_.find(name);
  return it == nodes_.end() ? "" : it->second.target;
}

void RawFuse::Serve(const std::stop_token& stop) {
  alignas(8) std::array<char, 64 * 1024> request;
  while (!stop.stop_requested()) {
    pollfd polled = {device_.Get(), POLLIN, 0};
    if (poll(&polled, 1, 5) <= 0) continue;
    const ssize_t size = read(device_.Get(), request.data(), request.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOENT)) continue;
    if (size <= 0) break;
    Handle(request.data());
  }
  ended_ = !stop.stop_requested();
}

void RawFuse::Reply(std::uint64_t unique, int error, const void* body, std::size_t size) {
  fuse_out_header header = {};
  header.len = static_cast<std::uint32_t>(sizeof header + size);
  header.error = -error;
  header.unique = unique;
  std::array<iovec, 2> parts = {{{&header, sizeof header}, {const_cast<void*>(body), size}}};
  // The connection may be gone, or the request answered by another.
  [[maybe_unused]] const ssize_t written = writev(device_.Get(), parts.data(), size == 0 ? 1 : 2);
}

void RawFuse::Resend() { Reply(0, -kNotifyResend, nullptr, 0); }

std::string RawFuse::PathOf(std::uint64_t inode) const {
  for (const auto& [path, node] : nodes_) {
    if (node.inode == inode) return path;
  }
  return "";
}

void RawFuse::ReplyEntry(std::uint64_t unique, const std::string& path) {
  const auto it = nodes_.find(path);
  if (it == nodes_.end()) return Reply(unique, ENOENT, nullptr, 0);
  const Node& node = it->second;
  fuse_entry_out entry = {};
  entry.nodeid = node.inode;
  entry.attr =
      Attributes(node.inode, node.mode, node.inode == kKey ? content_.size() : node.target.size());
  Reply(unique, 0, &entry, sizeof entry);
}

void RawFuse::ReplyAttributes(std::uint64_t unique, std::uint64_t inode) {
  fuse_attr_out out = {};
  out.attr = Attributes(inode, S_IFDIR | 0755, 0);
  const auto it = nodes_.find(PathOf(inode));
  if (inode != FUSE_ROOT_ID && it != nodes_.end()) {
    out.attr = Attributes(inode, it->second.mode,
                          inode == kKey ? content_.size() : it->second.target.size());
  }
  Reply(unique, 0, &out, sizeof out);
}

// All of it at once: the tests' folders are small.
void RawFuse::ReplyFolder(std::uint64_t unique, const std::string& folder, std::uint64_t offset) {
  std::string bytes;
  const std::string prefix = folder.empty() ? "" : folder + "/";
  for (const auto& [path, node] : nodes_) {
    if (offset != 0 || path.size() <= prefix.size() || !path.starts_with(prefix)) continue;
    const std::string name = path.substr(prefix.size());
    if (name.contains('/')) continue;
    fuse_dirent entry = {};
    entry.ino = node.inode;
    entry.off = bytes.size() + 1;
    entry.namelen = static_cast<std::uint32_t>(name.size());
    entry.type = node.mode >> 12;
    bytes.append(reinterpret_cast<const char*>(&entry), FUSE_NAME_OFFSET);
    bytes.append(name);
    bytes.resize(FUSE_DIRENT_ALIGN(bytes.size()));
  }
  Reply(unique, 0, bytes.data(), bytes.size());
}

std::string RawFuse::NameOfChange(std::uint32_t opcode, const std::string& folder, char* body) {
  switch (opcode) {
    case FUSE_MKDIR:
      return "MKDIR " + Below(folder, body + sizeof(fuse_mkdir_in));
    case FUSE_SYMLINK: {
      const std::string name = body;
      return "SYMLINK " + Below(folder, name) + " " + (body + name.size() + 1);
    }
    case FUSE_RENAME2:
    case FUSE_RENAME: {
      const std::size_t head =
          opcode == FUSE_RENAME ? sizeof(fuse_rename_in) : sizeof(fuse_rename2_in);
      const std::string from = body + head;
      return "RENAME " + Below(folder, from) + " " + (body + head + from.size() + 1);
    }
    case FUSE_UNLINK:
      return "UNLINK " + Below(folder, body);
    case FUSE_RMDIR:
      return "RMDIR " + Below(folder, body);
    case FUSE_SETATTR:
      return "SETATTR " + folder;  // the file's own path
    default:
      return "";
  }
}

void RawFuse::Change(std::uint32_t opcode, const std::string& folder, char* body) {
  if (opcode == FUSE_MKDIR) {
    nodes_[Below(folder, body + sizeof(fuse_mkdir_in))] = {
        .mode = S_IFDIR | 0755, .target = "", .inode = next_inode_++};
  } else if (opcode == FUSE_SYMLINK) {
    const std::string name = body;
    nodes_[Below(folder, name)] = {
        .mode = S_IFLNK | 0777, .target = body + name.size() + 1, .inode = next_inode_++};
  } else if (opcode == FUSE_RENAME || opcode == FUSE_RENAME2) {
    const std::size_t head =
        opcode == FUSE_RENAME ? sizeof(fuse_rename_in) : sizeof(fuse_rename2_in);
    const std::string from = body + head;
    nodes_[Below(folder, body + head + from.size() + 1)] = nodes_[Below(folder, from)];
    nodes_.erase(Below(folder, from));
  } else if (opcode == FUSE_UNLINK || opcode == FUSE_RMDIR) {
    nodes_.erase(Below(folder, body));
  }
}

void RawFuse::Handle(char* request) {
  const fuse_in_header in = *reinterpret_cast<fuse_in_header*>(request);
  char* const body = request + sizeof(fuse_in_header);
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string path = PathOf(in.nodeid);
  const std::string change = NameOfChange(in.opcode, path, body);
  if (!change.empty()) {
    if (change.starts_with(hang_at_)) hanging_ = true;
    if (hanging_) return;
    if (refuse_) return Reply(in.unique, ENOSPC, nullptr, 0);
    changes_.push_back(change);
    Change(in.opcode, path, body);
  }
  switch (in.opcode) {
    case FUSE_INIT: {
      fuse_init_out out = {};
      out.major = FUSE_KERNEL_VERSION;
      out.minor = 31;
      out.max_write = 4096;
      return Reply(in.unique, 0, &out, sizeof out);
    }
    case FUSE_LOOKUP:
    case FUSE_SYMLINK:
      return ReplyEntry(in.unique, Below(path, body));
    case FUSE_MKDIR:
      return ReplyEntry(in.unique, Below(path, body + sizeof(fuse_mkdir_in)));
    case FUSE_GETATTR:
    case FUSE_SETATTR:
      return ReplyAttributes(in.unique, in.nodeid);
    case FUSE_READLINK: {
      const std::string target = nodes_[path].target;
      return Reply(in.unique, 0, target.data(), target.size());
    }
    case FUSE_OPEN:
    case FUSE_OPENDIR: {
      fuse_open_out out = {};
      out.open_flags = in.opcode == FUSE_OPEN ? FOPEN_DIRECT_IO : 0U;
      return Reply(in.unique, 0, &out, sizeof out);
    }
    case FUSE_READ: {
      const auto* const wanted = Body<fuse_read_in>(request);
      const std::string bytes =
          content_.substr(std::min<std::size_t>(content_.size(), wanted->offset), wanted->size);
      return Reply(in.unique, 0, bytes.data(), bytes.size());
    }
    case FUSE_READDIR:
      return ReplyFolder(in.unique, path, Body<fuse_read_in>(request)->offset);
    case FUSE_RENAME:
    case FUSE_RENAME2:
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH:
      return Reply(in.unique, 0, nullptr, 0);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
      return;
    default:
      return Reply(in.unique, ENOSYS, nullptr, 0);
  }
}

}  // namespace escagent::keeper
