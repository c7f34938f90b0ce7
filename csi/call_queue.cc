#include "csi/call_queue.h"

#include <utility>

#include "base/thread.h"

namespace escagent::csi {

CallQueue::CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue, const char* thread_name,
                     int threads, std::function<void(const std::string& peer)> on_arrival)
    : queue_(std::move(queue)),
      thread_name_(thread_name),
      thread_count_(threads),
      on_arrival_(std::move(on_arrival)) {}

CallQueue::~CallQueue() { Stop(); }

void CallQueue::Start() {
  for (int i = 0; i < thread_count_; ++i) {
    threads_.push_back(StartThread(thread_name_, [this] { Run(); }));
  }
}

void CallQueue::EndWaits() {
  MutexLock lock(mutex_);
  stopping_ = true;
  for (auto& [call, alarm] : parked_) alarm.Cancel();
}

void CallQueue::Stop() {
  {
    // gRPC aborts when an answer is written after the queue's shutdown, and Server::Shutdown does
    // not wait for handlers whose caller is gone.
    MutexLock lock(mutex_);
    while (calls_ > 0) none_left_.Wait(mutex_);
  }
  queue_->Shutdown();
  threads_.clear();
  // gRPC aborts, too, when a queue is destroyed that was not read to its end.
  Run();
}

void CallQueue::Count(int change) {
  MutexLock lock(mutex_);
  calls_ += change;
  if (calls_ == 0) none_left_.NotifyAll();
}

bool CallQueue::HasRoom() const {
  MutexLock lock(mutex_);
  return calls_ < kMaxCalls;
}

CallContext CallQueue::ContextOf(Call& call) {
  MutexLock lock(mutex_);
  parked_.erase(&call);
  return {.deadline = call.context_.deadline(), .cancelled = call.is_over_, .stopping = stopping_};
}

void CallQueue::Park(Call& call, std::chrono::milliseconds pause) {
  MutexLock lock(mutex_);
  if (stopping_ || call.is_over_) pause = {};
  // The alarm goes into the map first: it may ring at once, and the call's turn takes it out.
  parked_[&call].Set(queue_.get(), std::chrono::system_clock::now() + pause, &call.progress_);
}

void CallQueue::NoteOver(Call& call) {
  MutexLock lock(mutex_);
  call.is_over_ = true;
  if (const auto it = parked_.find(&call); it != parked_.end()) it->second.Cancel();
}

void CallQueue::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    const auto& event = *static_cast<const Call::Event*>(tag);
    (event.call.*event.happened)(ok);
  }
}

void CallQueue::Call::OnProgress(bool ok) {
  switch (state_) {
    case State::kAwaited:
      if (!ok) {
        delete this;
        return;
      }
      state_ = State::kArrived;
      if (owner_.on_arrival_) owner_.on_arrival_(context_.peer());
      HaveTurn();
      return;
    case State::kArrived:
      HaveTurn();
      return;
    case State::kAnswered:
      // While this call lives, Stop keeps the queue open. When the server has shut down, the new
      // one is told so at once.
      if (!replaced_) AwaitNext();
      Release();
      return;
  }
}

void CallQueue::Call::OnOver(bool /*ok*/) {
  owner_.NoteOver(*this);
  Release();
}

void CallQueue::Call::HaveTurn() {
  const CallContext context = owner_.ContextOf(*this);
  Answer answer = next_turn_ ? next_turn_(context) : Handle(context);
  next_turn_ = std::move(answer.again);
  if (!next_turn_) {
    state_ = State::kAnswered;
    Finish(answer.status);
    return;
  }
  if (!replaced_ && owner_.HasRoom()) {
    replaced_ = true;
    AwaitNext();
  }
  owner_.Park(*this, answer.pause);
}

void CallQueue::Call::Release() {
  if (--pending_ == 0) delete this;
}

}  // namespace escagent::csi
