#include "fuse/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "base/thread.h"

namespace escagent::fuse {
namespace {

constexpr EventLoop::SessionId kStopId = 0;
constexpr int kRequestsPerWake = 16;

}  // namespace

EventLoop::EventLoop(UniqueFd epoll, UniqueFd stop_event, std::shared_ptr<Journal> journal)
    : epoll_(std::move(epoll)),
      stop_event_(std::move(stop_event)),
      journal_(std::move(journal)),
      next_id_(kStopId + 1) {}

Result<std::unique_ptr<EventLoop>> EventLoop::Create(int workers,
                                                     std::shared_ptr<Journal> journal) {
  if (journal != nullptr && static_cast<std::size_t>(workers) > Journal::kWorkers) {
    return InvalidArgument("start the FUSE workers: at most " + std::to_string(Journal::kWorkers) +
                           " can share the journal");
  }
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return ErrnoError(errno, "create the epoll set of the FUSE workers");
  UniqueFd stop_event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_event) return ErrnoError(errno, "create the stop event of the FUSE workers");
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kStopId;
  if (epoll_ctl(epoll.Get(), EPOLL_CTL_ADD, stop_event.Get(), &event) != 0) {
    return ErrnoError(errno, "watch the stop event of the FUSE workers");
  }
  std::unique_ptr<EventLoop> loop(
      new EventLoop(std::move(epoll), std::move(stop_event), std::move(journal)));
  for (std::size_t i = 0; i < static_cast<std::size_t>(workers); ++i) {
    loop->workers_.push_back(StartThread("fuse-worker", [raw = loop.get(), i] { raw->Run(i); }));
  }
  return loop;
}

EventLoop::~EventLoop() {
  // Nobody reads the event, so it wakes every worker.
  eventfd_write(stop_event_.Get(), 1);
  workers_.clear();
}

Result<EventLoop::SessionId> EventLoop::Add(std::shared_ptr<Session> session) {
  SessionId id = 0;
  {
    MutexLock lock(mutex_);
    while (sessions_.contains(next_id_)) ++next_id_;
    id = next_id_++;
  }
  ESC_RETURN_IF_ERROR(Add(std::move(session), id));
  return id;
}

Status EventLoop::Add(std::shared_ptr<Session> session, SessionId id) {
  const int fd = session->Fd();
  {
    MutexLock lock(mutex_);
    if (id == kStopId || !sessions_.emplace(id, std::move(session)).second) {
      return MakeError(Code::kAlreadyExists,
                       "serve FUSE connection " + std::to_string(id) + ": the number is in use");
    }
  }
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (epoll_ctl(epoll_.Get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    const int error = errno;
    MutexLock lock(mutex_);
    sessions_.erase(id);
    return ErrnoError(error, "watch a FUSE connection");
  }
  return {};
}

void EventLoop::Remove(SessionId id) {
  std::shared_ptr<Session> removed;
  {
    MutexLock lock(mutex_);
    const auto it = sessions_.find(id);
    if (it == sessions_.end()) return;
    removed = std::move(it->second);
    sessions_.erase(it);
  }
  epoll_ctl(epoll_.Get(), EPOLL_CTL_DEL, removed->Fd(), nullptr);
}

std::size_t EventLoop::SessionCount() const {
  MutexLock lock(mutex_);
  return sessions_.size();
}

void EventLoop::UseJournal(std::shared_ptr<Journal> journal) {
  MutexLock lock(mutex_);
  journal_ = std::move(journal);
}

EventLoop::Work EventLoop::Find(SessionId id) const {
  MutexLock lock(mutex_);
  const auto it = sessions_.find(id);
  return {.session = it == sessions_.end() ? nullptr : it->second, .journal = journal_};
}

void EventLoop::Run(std::size_t worker) {
  alignas(8) std::array<std::byte, Session::kBufferSize> own_buffer;
  while (true) {
    // One event at a time: the other workers take the others.
    epoll_event event = {};
    if (epoll_wait(epoll_.Get(), &event, 1, -1) <= 0) continue;
    const SessionId id = event.data.u64;
    if (id == kStopId) return;
    const Work work = Find(id);
    if (work.session == nullptr) continue;
    std::span<std::byte> buffer = own_buffer;
    if (work.journal != nullptr) {
      Journal::Slot& slot = work.journal->SlotAt(worker);
      slot.SetSession(id);
      buffer = slot.Buffer();
    }
    if (!work.session->Serve(buffer, kRequestsPerWake)) Remove(id);
  }
}

}  // namespace escagent::fuse
