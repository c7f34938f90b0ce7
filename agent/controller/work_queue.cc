#include "agent/controller/work_queue.h"

#include <algorithm>
#include <chrono>

#include "base/thread.h"

namespace escagent::controller {
namespace {

constexpr std::chrono::hours kLongestSleep{1};

std::size_t IndexOf(Lane lane) { return static_cast<std::size_t>(lane); }

}  // namespace

kube::Priority PriorityOf(Lane lane) {
  switch (lane) {
    case Lane::kInteractive:
      return kube::Priority::kInteractive;
    case Lane::kNormal:
      return kube::Priority::kNormal;
    case Lane::kBackground:
      return kube::Priority::kBackground;
  }
  return kube::Priority::kNormal;
}

WorkQueue::WorkQueue(Options options, Clock& clock, Work work)
    : per_namespace_(options.per_namespace), clock_(clock), work_(std::move(work)) {
  for (int i = 0; i < options.workers; ++i) {
    workers_.push_back(
        StartThread(options.thread_name, [this](const std::stop_token& stop) { RunWorker(stop); }));
  }
  timer_ = StartThread("queue-timer", [this](const std::stop_token& stop) { RunTimer(stop); });
}

WorkQueue::~WorkQueue() { Stop(); }

void WorkQueue::Stop() {
  timer_.request_stop();
  for (std::jthread& worker : workers_) worker.request_stop();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (timer_.joinable()) timer_.join();
  workers_.clear();
}

void WorkQueue::Add(const Key& key, Lane lane) {
  MutexLock lock(mutex_);
  if (!stopping_) AddLocked(key, items_[key], lane);
}

void WorkQueue::AddLocked(const Key& key, Item& item, Lane lane) {
  std::optional<Lane>& place = item.running ? item.again : item.waits;
  if (place && *place <= lane) return;
  const bool was_waiting = place.has_value();
  place = lane;
  if (item.running) return;
  if (!was_waiting) ++waiting_;
  Queue& queue = queues_[IndexOf(lane)];
  std::deque<Key>& keys = queue.keys[key.namespace_name];
  if (keys.empty()) queue.turns.push_back(key.namespace_name);
  keys.push_back(key);
  changed_.NotifyOne();
}

void WorkQueue::AddAt(const Key& key, Clock::TimePoint due) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    Item& item = items_[key];
    if (item.due && *item.due <= due) return;
    ClearDue(key, item);
    item.due = due;
    due_.emplace(due, key);
    if (due_.begin()->second != key) return;
  }
  timer_waker_.WakeUp();
}

void WorkQueue::ClearDue(const Key& key, Item& item) {
  if (!item.due) return;
  due_.erase({*item.due, key});
  item.due.reset();
}

void WorkQueue::Forget(const Key& key) {
  MutexLock lock(mutex_);
  const auto it = items_.find(key);
  if (it == items_.end()) return;
  Item& item = it->second;
  ClearDue(key, item);
  if (item.waits) --waiting_;
  item.waits.reset();
  item.again.reset();
  if (item.Idle()) items_.erase(it);
}

void WorkQueue::WaitForWorkOn(const std::function<bool(const Key&)>& matches) {
  MutexLock lock(mutex_);
  while (std::any_of(items_.begin(), items_.end(), [&](const auto& entry) {
    return entry.second.running && matches(entry.first);
  })) {
    finished_.Wait(mutex_);
  }
}

std::size_t WorkQueue::Depth() const {
  MutexLock lock(mutex_);
  return waiting_;
}

bool WorkQueue::HasEnough(const std::string& namespace_name) const {
  const auto running = running_.find(namespace_name);
  return per_namespace_ > 0 && running != running_.end() && running->second >= per_namespace_;
}

std::optional<WorkQueue::Key> WorkQueue::NextOf(Lane lane) {
  Queue& queue = queues_[IndexOf(lane)];
  std::size_t passed = 0;
  while (passed < queue.turns.size()) {
    const std::string turn = std::move(queue.turns.front());
    queue.turns.pop_front();
    if (HasEnough(turn)) {
      queue.turns.push_back(turn);
      ++passed;
      continue;
    }
    const auto keys = queue.keys.find(turn);
    Key key = std::move(keys->second.front());
    keys->second.pop_front();
    if (keys->second.empty()) {
      queue.keys.erase(keys);
    } else {
      queue.turns.push_back(turn);
    }
    const auto item = items_.find(key);
    if (item != items_.end() && item->second.waits == lane) return key;
  }
  return std::nullopt;
}

std::optional<std::pair<WorkQueue::Key, Lane>> WorkQueue::Next() {
  constexpr std::array kOrder = {Lane::kInteractive, Lane::kNormal, Lane::kBackground};
  const bool reversed = ++turn_ % kTurnOfTheLast == 0;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    const Lane lane = kOrder[reversed ? kOrder.size() - 1 - i : i];
    if (std::optional<Key> key = NextOf(lane)) return std::pair(*std::move(key), lane);
  }
  return std::nullopt;
}

void WorkQueue::RunWorker(const std::stop_token& stop) {
  while (true) {
    std::optional<std::pair<Key, Lane>> next;
    {
      MutexLock lock(mutex_);
      while (!stopping_ && !(next = Next())) changed_.Wait(mutex_);
      if (stopping_) return;
      Item& item = items_[next->first];
      item.waits.reset();
      item.running = true;
      ++running_[next->first.namespace_name];
      ClearDue(next->first, item);
      --waiting_;
    }
    work_(next->first, next->second, stop);
    MutexLock lock(mutex_);
    Finished(next->first);
  }
}

void WorkQueue::Finished(const Key& key) {
  const auto it = items_.find(key);
  Item& item = it->second;
  item.running = false;
  if (--running_[key.namespace_name] == 0) running_.erase(key.namespace_name);
  // A namespace that had enough may go on.
  if (per_namespace_ > 0) changed_.NotifyOne();
  finished_.NotifyAll();
  if (const std::optional<Lane> again = std::exchange(item.again, std::nullopt)) {
    AddLocked(key, item, *again);
  }
  if (item.Idle()) items_.erase(it);
}

void WorkQueue::RunTimer(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Clock::TimePoint now = clock_.Now();
    Clock::TimePoint next = now + kLongestSleep;
    {
      MutexLock lock(mutex_);
      while (!due_.empty() && due_.begin()->first <= now) {
        const Key key = due_.begin()->second;
        Item& item = items_[key];
        ClearDue(key, item);
        AddLocked(key, item, Lane::kBackground);
      }
      if (!due_.empty()) next = std::min(next, due_.begin()->first);
    }
    timer_waker_.SleepUntil(clock_, next, stop);
  }
}

}  // namespace escagent::controller
