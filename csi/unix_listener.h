#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace escagent::csi {

// The longest path that fits sockaddr_un.sun_path with its NUL.
inline constexpr std::size_t kMaxSocketPath = 107;

// A listening Unix socket at a path: our own, or one that somebody else made and keeps. Movable.
// The destructor closes the socket and, if it is our own and the path still leads to it, removes
// it.
class UnixListener {
 public:
  // A socket of our own, mode 0600. Listens at a temporary name in the same folder and renames it
  // over `path`: whoever dials sees either the old socket or one that already listens, and a stale
  // socket is no obstacle. The temporary name begins with a dot, which kubelet's plugin watcher
  // ignores. Refuses to replace anything that is not a socket. The folder must exist.
  static Result<UnixListener> Bind(const std::string& path);

  // Takes over a descriptor of a socket that somebody else listens with at `path`, and makes it
  // non-blocking (for all who share it). The path is never touched. INVALID_ARGUMENT when it is no
  // listening Unix socket.
  static Result<UnixListener> Adopt(UniqueFd listening, std::string path);

  UnixListener() = default;
  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&& other) noexcept;
  ~UnixListener();

  // Non-blocking. -1 when there is no socket.
  int Fd() const { return fd_.Get(); }
  const std::string& Path() const { return path_; }
  // Made by Bind.
  bool IsOwn() const { return is_own_; }

  // What the path leads to now. A successor's socket is kOther. For an adopted socket kThis is
  // whatever was there when it was adopted: Linux does not tell from a descriptor.
  enum class Owner { kThis, kOther, kNobody };
  Owner PathOwner() const;

  void Close();

 private:
  UniqueFd fd_;
  std::string path_;
  bool is_own_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace escagent::csi
