#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/journal.h"
#include "fuse/session.h"

namespace escagent::fuse {

// Serves every session from a fixed number of worker threads ("fuse-worker"): one epoll set over
// all descriptors, level-triggered; a woken worker answers up to 16 requests and goes back, so that
// a busy volume cannot keep the others waiting. A session whose connection is over leaves by
// itself. Thread-safe.
class EventLoop {
 public:
  using SessionId = std::uint64_t;

  // With a journal, whoever takes over finds there what the workers have not answered. The journal
  // must have been replayed before the first session is added.
  static Result<std::unique_ptr<EventLoop>> Create(int workers,
                                                   std::shared_ptr<Journal> journal = nullptr);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  // Stops the workers once they have answered what they read, then lets go of the sessions.
  ~EventLoop();

  // Keeps the session until its connection is over or Remove. `id` is what the journal calls it,
  // not 0; it must be the same in every process (the mount's device number). ALREADY_EXISTS when it
  // is in use.
  Status Add(std::shared_ptr<Session> session, SessionId id);
  // With an id of the loop's choice, for sessions that nobody takes over.
  Result<SessionId> Add(std::shared_ptr<Session> session);
  // Another journal from now on: that of a new keeper, when the old one was lost.
  void UseJournal(std::shared_ptr<Journal> journal);
  // Nobody serves the session any more, but for a worker that is in it just now and holds it until
  // it is done. Nothing when it is gone already.
  void Remove(SessionId id);

  std::size_t SessionCount() const;

 private:
  EventLoop(UniqueFd epoll, UniqueFd stop_event, std::shared_ptr<Journal> journal);
  void Run(std::size_t worker);
  struct Work {
    std::shared_ptr<Session> session;  // none when it is gone
    std::shared_ptr<Journal> journal;
  };
  Work Find(SessionId id) const;

  const UniqueFd epoll_;
  const UniqueFd stop_event_;
  mutable Mutex mutex_;
  std::shared_ptr<Journal> journal_ GUARDED_BY(mutex_);  // may be none
  std::map<SessionId, std::shared_ptr<Session>> sessions_ GUARDED_BY(mutex_);
  SessionId next_id_ GUARDED_BY(mutex_);
  std::vector<std::jthread> workers_;
};

}  // namespace escagent::fuse
