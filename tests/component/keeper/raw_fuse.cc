#include "tests/component/keeper/raw_fuse.h"

#include <linux/fuse.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

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

template <class T>
T* Body(char* request) {
  return reinterpret_cast<T*>(request + sizeof(fuse_in_header));
}

}  // namespace

RawFuse::RawFuse(UniqueFd device, std::string content, pid_t rotator)
    : device_(std::move(device)), content_(std::move(content)), rotator_(rotator) {
  nodes_["key"] = {.mode = S_IFREG | 0444, .target = "", .inode = kKey};
  thread_ = std::jthread([this](const std::stop_token& stop) { Serve(stop); });
}

RawFuse::~RawFuse() {
  thread_.request_stop();
  thread_.join();
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

RawFuse::Node* RawFuse::Find(std::uint64_t inode) {
  for (auto& [name, node] : nodes_) {
    if (node.inode == inode) return &node;
  }
  return nullptr;
}

void RawFuse::ReplyEntry(std::uint64_t unique, const std::string& name) {
  const auto it = nodes_.find(name);
  if (it == nodes_.end()) return Reply(unique, ENOENT, nullptr, 0);
  const Node& node = it->second;
  fuse_entry_out entry = {};
  entry.nodeid = node.inode;
  entry.attr =
      Attributes(node.inode, node.mode, node.inode == kKey ? content_.size() : node.target.size());
  Reply(unique, 0, &entry, sizeof entry);
}

int RawFuse::Change(std::uint32_t opcode, char* body) {
  switch (opcode) {
    case FUSE_MKDIR: {
      const std::string name = body + sizeof(fuse_mkdir_in);
      nodes_[name] = {.mode = S_IFDIR | 0755, .target = "", .inode = next_inode_++};
      changes_.push_back("MKDIR " + name);
      return 0;
    }
    case FUSE_SYMLINK: {
      const std::string name = body;
      const std::string target = body + name.size() + 1;
      nodes_[name] = {.mode = S_IFLNK | 0777, .target = target, .inode = next_inode_++};
      changes_.push_back("SYMLINK " + name + " " + target);
      return 0;
    }
    case FUSE_RENAME2:
    case FUSE_RENAME: {
      const std::size_t head =
          opcode == FUSE_RENAME ? sizeof(fuse_rename_in) : sizeof(fuse_rename2_in);
      const std::string from = body + head;
      const std::string to = body + head + from.size() + 1;
      nodes_[to] = nodes_[from];
      nodes_.erase(from);
      changes_.push_back("RENAME " + from + " " + to);
      return 0;
    }
    default: {
      const std::string name = body;
      nodes_.erase(name);
      changes_.push_back((opcode == FUSE_UNLINK ? "UNLINK " : "RMDIR ") + name);
      return 0;
    }
  }
}

void RawFuse::Handle(char* request) {
  const fuse_in_header in = *reinterpret_cast<fuse_in_header*>(request);
  char* const body = request + sizeof(fuse_in_header);
  const std::lock_guard<std::mutex> lock(mutex_);
  switch (in.opcode) {
    case FUSE_INIT: {
      fuse_init_out out = {};
      out.major = FUSE_KERNEL_VERSION;
      out.minor = 31;
      out.max_write = 4096;
      return Reply(in.unique, 0, &out, sizeof out);
    }
    case FUSE_LOOKUP:
      return ReplyEntry(in.unique, body);
    case FUSE_GETATTR: {
      const Node* const node = Find(in.nodeid);
      fuse_attr_out out = {};
      out.attr = in.nodeid == FUSE_ROOT_ID ? Attributes(1, S_IFDIR | 0755, 0)
                 : in.nodeid == kKey       ? Attributes(kKey, S_IFREG | 0444, content_.size())
                 : node != nullptr ? Attributes(node->inode, node->mode, node->target.size())
                                   : Attributes(in.nodeid, S_IFDIR | 0755, 0);
      return Reply(in.unique, 0, &out, sizeof out);
    }
    case FUSE_READLINK: {
      const Node* const node = Find(in.nodeid);
      if (node == nullptr) return Reply(in.unique, ENOENT, nullptr, 0);
      return Reply(in.unique, 0, node->target.data(), node->target.size());
    }
    case FUSE_OPEN:
    case FUSE_OPENDIR: {
      fuse_open_out out = {};
      out.open_flags = FOPEN_DIRECT_IO;
      return Reply(in.unique, 0, &out, sizeof out);
    }
    case FUSE_READ: {
      const auto* const wanted = Body<fuse_read_in>(request);
      const std::string bytes =
          content_.substr(std::min<std::size_t>(content_.size(), wanted->offset), wanted->size);
      return Reply(in.unique, 0, bytes.data(), bytes.size());
    }
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH:
    case FUSE_READDIR:
      return Reply(in.unique, 0, nullptr, 0);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
      return;
    case FUSE_MKDIR:
    case FUSE_SYMLINK:
    case FUSE_RENAME:
    case FUSE_RENAME2:
    case FUSE_UNLINK:
    case FUSE_RMDIR: {
      // The kernel names the thread.
      if (rotator_ != 0 && in.pid != static_cast<std::uint32_t>(rotator_)) {
        return Reply(in.unique, EROFS, nullptr, 0);
      }
      if (refuse_) return Reply(in.unique, ENOSPC, nullptr, 0);
      const std::string name =
          in.opcode == FUSE_MKDIR ? body + sizeof(fuse_mkdir_in) : std::string(body);
      const int error = Change(in.opcode, body);
      if (in.opcode == FUSE_MKDIR || in.opcode == FUSE_SYMLINK) return ReplyEntry(in.unique, name);
      return Reply(in.unique, error, nullptr, 0);
    }
    default:
      return Reply(in.unique, ENOSYS, nullptr, 0);
  }
}

}  // namespace escagent::keeper
