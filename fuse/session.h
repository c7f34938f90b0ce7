#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/file_open.h"
#include "fuse/secret_tree.h"
#include "fuse/session_init.h"
#include "fuse/volume.h"

struct fuse_session;
struct fuse_ctx;
struct fuse_conn_info;

namespace escagent::fuse {

// One mount's connection to the kernel: libfuse's low-level session over a /dev/fuse descriptor
// that somebody else opened and mounted, and the tree it shows.
//
// libfuse only ever sees the descriptor ("/dev/fd/N"), so it never mounts or unmounts anything. It
// does not read from it either: Serve reads each request into the caller's buffer, so that the
// caller decides where the bytes lie. What FUSE_INIT agrees on is the same for every session and
// frozen (Negotiate in session.cc): a connection keeps it for life, across processes.
//
// Thread-safe: several threads may call Serve at once. Announce and Expire must not be called by a
// thread that serves this session: the kernel may not take their messages before it got an answer.
class Session {
 public:
  // Reads of /dev/fuse need at least this (FUSE_MIN_READ_BUFFER in linux/fuse.h, with max_write
  // 4096).
  static constexpr std::size_t kBufferSize = 8192;

  // Takes a mounted descriptor over and answers the kernel's FUSE_INIT, which must come within
  // `timeout`.
  static Result<std::shared_ptr<Session>> Start(UniqueFd device, std::unique_ptr<SecretTree> tree,
                                                CacheProfile cache,
                                                std::chrono::milliseconds timeout);
  // Takes a connection over whose FUSE_INIT a predecessor answered; the kernel sees nothing of it.
  // `device` is /dev/fuse of that connection, and `init` the predecessor's Init(). It must not
  // answer any more. FAILED_PRECONDITION when this version wants another agreement: such a
  // connection can only be replaced by a new mount.
  static Result<std::shared_ptr<Session>> Resume(UniqueFd device, std::unique_ptr<SecretTree> tree,
                                                 CacheProfile cache, const SessionInit& init);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // For epoll; non-blocking; owned by the session.
  int Fd() const { return fd_; }
  // What a successor needs for Resume.
  const SessionInit& Init() const { return init_; }

  // Answers at most `max_requests` waiting requests. `buffer` is the calling thread's own, at least
  // kBufferSize and aligned for fuse_in_header. Its first four bytes, where the kernel puts the
  // request's size, are 0 whenever it holds no unanswered request. Returns false when the
  // connection is over (the last reference to the mount is gone, or it was aborted).
  bool Serve(std::span<std::byte> buffer, int max_requests);
  // Answers a request that a predecessor read.
  void Answer(std::span<std::byte> request);
  // Has the kernel send again what it has no answer for, to be called when the predecessor surely
  // answers no more. Returns false where the kernel cannot (before Linux 6.9).
  Result<bool> Resend();
  bool Ended() const { return ended_.load(std::memory_order_acquire); }

  // Makes the kernel forget what the rotation replaced: when it returns, every path leads to the
  // current generation. Not for rotations that a helper made to the end by renames: the kernel
  // knows of those.
  //
  // The kernel may hold the calling thread up until requests about the volume's root are answered,
  // and no signal ends that: should this process be killed just then, it is not gone (for who waits
  // for it, a pidfd included) before a successor answers them.
  void Announce(const Rotation& rotation);
  // Lets retired files follow up to the generation `number` (SecretTree::Settle). Never waits.
  void Settle(std::uint64_t number);
  // Gives up generations before `number` (SecretTree::Expire), some time after that one was
  // settled: whoever still has a folder of an older one open is to look its files up anew. May wait
  // as Announce does, but for requests about such folders, which are rare by then.
  void Expire(std::uint64_t number);

  // Called when a folder of a generation (not the root) is opened, before the kernel hears of it,
  // and when it was closed. On any thread that serves; must be set before any does.
  using FolderListener = std::function<void(std::uint64_t generation, bool open)>;
  void ListenToFolders(FolderListener listener) { folder_listener_ = std::move(listener); }
  void NoteFolder(std::uint64_t inode, std::uint64_t handle, bool open) const;

  // Must be set before any thread serves.
  void ListenToOpens(OpenListener listener) { open_listener_ = std::move(listener); }
  // Tells the listener. `caller` has the process; `handle` is 0 when it is not open.
  void NoteOpen(const fuse_ctx& caller, std::uint64_t inode, std::uint64_t handle, int error) const;

  SecretTree& Tree() const { return *tree_; }
  CacheProfile Cache() const { return cache_; }
  // How long the kernel may believe what is cacheable without asking, in seconds.
  double CacheSeconds() const;

  // For libfuse's init callback only.
  void Negotiate(fuse_conn_info* connection);

 private:
  Session(std::unique_ptr<SecretTree> tree, CacheProfile cache);
  // Takes a descriptor that libfuse takes for the mount's.
  Status Open(UniqueFd device);
  Status AnswerInit(std::chrono::milliseconds timeout);
  Status ProcessInit();

  void ForgetEntry(std::uint64_t folder, std::string_view name);
  void ExpireFiles(const Generation& retired);

  const std::unique_ptr<SecretTree> tree_;
  const CacheProfile cache_;
  fuse_session* session_ = nullptr;  // owned; closes fd_
  int fd_ = -1;
  SessionInit init_;
  FolderListener folder_listener_;  // may be empty
  OpenListener open_listener_;      // may be empty
  std::atomic<bool> ended_{false};
};

}  // namespace escagent::fuse
