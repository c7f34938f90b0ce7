#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace escagent::fuse {

// Which generations' folders are open, in memory that outlives the process (the end of the
// journal): nobody tells a successor, who must not let files follow a rotation that are read
// through such a folder together. One note for each open folder; when there is no room, none.
// Thread-safe, and right at whatever moment the process dies.
class OpenFolders {
 public:
  struct Note {
    std::atomic<std::uint64_t> session;  // 0: free
    std::atomic<std::uint64_t> generation;
  };

  // `notes` must be zero at first, and outlive this.
  explicit OpenFolders(std::span<Note> notes) : notes_(notes) {}

  void Add(std::uint64_t session, std::uint64_t generation);
  // One of them, no matter whose; nothing when there is none. False when it was the last.
  bool Remove(std::uint64_t session, std::uint64_t generation);
  // All of generations before this one.
  void RemoveBefore(std::uint64_t session, std::uint64_t generation);
  // Those of the session, each once.
  std::vector<std::uint64_t> Generations(std::uint64_t session) const;
  // Leaves the notes of these sessions only.
  void Keep(const std::vector<std::uint64_t>& sessions);

 private:
  static constexpr std::size_t kProbes = 64;
  Note& At(std::uint64_t session, std::size_t probe) const {
    return notes_[(session * kProbes + probe) % notes_.size()];
  }

  const std::span<Note> notes_;
};

}  // namespace escagent::fuse
