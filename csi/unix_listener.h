#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace escagent::csi {

// The longest path that fits sockaddr_un.sun_path with its NUL.
inline constexpr std::size_t kMaxSocketPath = 107;

// A listening Unix socket at a path, mode 0600. Movable; the destructor closes the socket and, when
// the path still leads to this socket, removes it.
class UnixListener {
 public:
  // Listens at a temporary name in the same folder and renames it over `path`: whoever
  // dials sees either the old socket or one that already listens, and a stale socket is no
  // obstacle. The temporary name begins with a dot, which kubelet's plugin watcher ignores. Refuses
  // to replace anything that is not a socket. The folder must exist.
  static Result<UnixListener> Bind(const std::string& path);

  UnixListener() = default;
  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&& other) noexcept;
  ~UnixListener();

  // Non-blocking. -1 when there is no socket.
  int Fd() const { return fd_.Get(); }
  const std::string& Path() const { return path_; }

  // What the path leads to now. A successor's socket is kOther.
  enum class Owner { kThis, kOther, kNobody };
  Owner PathOwner() const;

  void Close();

 private:
  UniqueFd fd_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace escagent::csi
