#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/open_folders.h"
#include "fuse/session.h"

namespace escagent::fuse {

// The requests that workers have read from /dev/fuse and not answered yet, in memory that outlives
// the process: a shared memfd with one slot a worker, which a keeper holds on to. The kernel copies
// each request straight into its worker's slot, so there is no moment at which a request is neither
// in the kernel's queue nor here. Whoever takes over answers what is left; an answer given twice is
// refused by the kernel with ENOENT, which does no harm.
//
// A slot is used by one thread at a time, all else is thread-safe.
class Journal {
 public:
  // 64 bytes of ours (the session's number in the first 8), then the request as the kernel wrote
  // it. It begins with its size (struct fuse_in_header), which is 0 when the slot is empty.
  class Slot {
   public:
    // Whose requests the buffer is used for from now on. Only while it is empty.
    void SetSession(std::uint64_t id) { session_.store(id, std::memory_order_relaxed); }
    std::uint64_t Session() const { return session_.load(std::memory_order_relaxed); }
    std::span<std::byte> Buffer() { return buffer_; }

   private:
    alignas(64) std::atomic<std::uint64_t> session_;
    alignas(64) std::array<std::byte, Session::kBufferSize> buffer_;
  };
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

  // Both as in fuse/keeper/protocol.h.
  static constexpr std::size_t kSlots = 16;
  // The slots that workers may use. The others are the memory of the open folders.
  static constexpr std::size_t kWorkers = 8;
  static constexpr std::size_t kSize = kSlots * sizeof(Slot);
  static_assert(sizeof(Slot) == Session::kBufferSize + 64);

  // An empty one in a new memfd.
  static Result<std::unique_ptr<Journal>> Create();
  // That of a predecessor, which must have ended: its memfd, at least kSize large and sealed
  // against shrinking (F_SEAL_SHRINK), or INVALID_ARGUMENT.
  static Result<std::unique_ptr<Journal>> Attach(UniqueFd memfd);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  const UniqueFd& Fd() const { return memfd_; }
  Slot& SlotAt(std::size_t worker) { return slots_[worker]; }
  OpenFolders& Folders() { return folders_; }

  // Gives each unanswered request to `answer`, with the number of the session it belongs to, and
  // then empties its slot; returns how many there were. What `answer` gets is its own copy. To be
  // called before any worker uses the journal. Dying in the middle loses nothing.
  using AnswerFunction = std::function<void(std::uint64_t session, std::span<std::byte> request)>;
  std::size_t Replay(const AnswerFunction& answer);

 private:
  Journal(UniqueFd memfd, Slot* slots);

  const UniqueFd memfd_;
  Slot* const slots_;  // kSlots of them, mapped
  OpenFolders folders_;
};

}  // namespace escagent::fuse
