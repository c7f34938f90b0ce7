#include "esc/devserver/session_table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>
#include <utility>

namespace escagent::devserver {
namespace {

// Nothing may be read into an id, so it is random.
std::string NewId() {
  std::random_device random;
  std::array<char, 33> text;
  std::snprintf(text.data(), text.size(), "%08x%08x%08x%08x", random(), random(), random(),
                random());
  return text.data();
}

}  // namespace

std::string SessionTable::Add(std::string owner, Snapshot snapshot,
                              std::chrono::milliseconds duration) {
  std::string id = NewId();
  MutexLock lock(mutex_);
  DropExpired();
  if (sessions_.size() >= kMaxSessions) {
    sessions_.erase(std::ranges::min_element(
        sessions_, {}, [](const auto& session) { return session.second.number; }));
  }
  sessions_[id] = {.number = ++opened_,
                   .owner = std::move(owner),
                   .snapshot = std::move(snapshot),
                   .expires = clock_.Now() + duration};
  return id;
}

Result<SessionTable::Snapshot> SessionTable::Find(std::string_view owner, std::string_view id) {
  MutexLock lock(mutex_);
  DropExpired();
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second.owner != owner) {
    return NotFound("session of environment '" + std::string(owner) +
                    "' not found, or it has expired; open the environment again");
  }
  return found->second.snapshot;
}

std::size_t SessionTable::Size() {
  MutexLock lock(mutex_);
  DropExpired();
  return sessions_.size();
}

void SessionTable::DropExpired() {
  const Clock::TimePoint now = clock_.Now();
  std::erase_if(sessions_, [now](const auto& session) { return session.second.expires <= now; });
}

}  // namespace escagent::devserver
