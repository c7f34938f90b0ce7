#include "fuse/open_folders.h"

#include <algorithm>

namespace escagent::fuse {

void OpenFolders::Add(std::uint64_t session, std::uint64_t generation) {
  for (std::size_t i = 0; i < kProbes; ++i) {
    Note& note = At(session, i);
    std::uint64_t free = 0;
    if (!note.session.compare_exchange_strong(free, session)) continue;
    note.generation.store(generation);
    return;
  }
}

bool OpenFolders::Remove(std::uint64_t session, std::uint64_t generation) {
  for (std::size_t i = 0; i < kProbes; ++i) {
    Note& note = At(session, i);
    std::uint64_t wanted = generation;
    // Whoever makes it 0 is the one who frees it.
    if (note.session.load() == session && note.generation.compare_exchange_strong(wanted, 0)) {
      note.session.store(0);
      break;
    }
  }
  const std::vector<std::uint64_t> left = Generations(session);
  return std::ranges::find(left, generation) != left.end();
}

void OpenFolders::RemoveBefore(std::uint64_t session, std::uint64_t generation) {
  for (const std::uint64_t noted : Generations(session)) {
    while (noted < generation && Remove(session, noted)) {
    }
  }
}

std::vector<std::uint64_t> OpenFolders::Generations(std::uint64_t session) const {
  std::vector<std::uint64_t> generations;
  for (std::size_t i = 0; i < kProbes; ++i) {
    const Note& note = At(session, i);
    const std::uint64_t generation = note.generation.load();
    if (note.session.load() != session || generation == 0) continue;
    if (std::ranges::find(generations, generation) == generations.end()) {
      generations.push_back(generation);
    }
  }
  return generations;
}

void OpenFolders::Keep(const std::vector<std::uint64_t>& sessions) {
  for (Note& note : notes_) {
    if (std::ranges::find(sessions, note.session.load()) != sessions.end()) continue;
    note.generation.store(0);
    note.session.store(0);
  }
}

}  // namespace escagent::fuse
