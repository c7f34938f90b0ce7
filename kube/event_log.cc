#include "kube/event_log.h"

#include <algorithm>
#include <utility>

namespace escagent::kube {
namespace {

// As many as client-go remembers.
constexpr std::size_t kMaxRemembered = 4096;

std::string ObjectText(const ObjectReference& object) {
  return object.resource.group + "/" + object.resource.plural + "/" + object.key.ToString() + "/" +
         object.uid;
}

}  // namespace

EventLog::Key EventLog::KeyOf(const Occurrence& occurrence) {
  return {ObjectText(occurrence.object), occurrence.type, occurrence.reason, occurrence.message};
}

void EventLog::Add(Occurrence occurrence, Clock::TimePoint now, Clock::WallTime wall) {
  Forget(now);
  const auto it = entries_.try_emplace(KeyOf(occurrence)).first;
  Entry& entry = it->second;
  const bool waits = entry.wait != 0;
  if (entry.count == 0 || (now - entry.seen > kSameEvent && !waits)) {
    entry = Entry{};
    entry.what = std::move(occurrence);
    entry.first = wall;
    entry.due = now;
  }
  ++entry.count;
  entry.seen = now;
  entry.last = wall;
  if (waits) return;
  entry.retried = false;
  Wait(it);
}

void EventLog::Wait(Entries::iterator entry) {
  entry->second.wait = ++last_wait_;
  waiting_.emplace(last_wait_, entry);
  if (waiting_.size() > kMaxWaiting) EndWait(waiting_.begin()->second->second);
}

void EventLog::EndWait(Entry& entry) { waiting_.erase(std::exchange(entry.wait, 0)); }

std::optional<EventLog::Write> EventLog::Next(Clock::TimePoint now) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto& [key, entry] = *it->second;
    if (entry.due > now) {
      ++it;
      continue;
    }
    Entry& next = it->second->second;
    ++it;
    EndWait(next);
    next.due = now + kWriteInterval;
    // Without a token this round is left out; the count goes on.
    if (!MayWrite(std::get<0>(key), now)) continue;
    return Write{next.what, next.name, next.count, next.first, next.last};
  }
  return std::nullopt;
}

void EventLog::Written(const Write& write, std::string name) {
  const auto it = entries_.find(KeyOf(write.what));
  if (it != entries_.end()) it->second.name = std::move(name);
}

void EventLog::Failed(const Write& write, Clock::TimePoint now) {
  const auto it = entries_.find(KeyOf(write.what));
  if (it == entries_.end() || it->second.wait != 0) return;
  if (std::exchange(it->second.retried, true)) return;
  it->second.due = now + kWriteInterval;
  Wait(it);
}

std::optional<Clock::TimePoint> EventLog::NextDue() const {
  std::optional<Clock::TimePoint> due;
  for (const auto& [wait, it] : waiting_) {
    if (!due || it->second.due < *due) due = it->second.due;
  }
  return due;
}

bool EventLog::MayWrite(const std::string& object, Clock::TimePoint now) {
  const auto [it, is_new] = buckets_.try_emplace(object);
  Bucket& bucket = it->second;
  if (!is_new) {
    const std::chrono::duration<double> passed = now - bucket.at;
    bucket.tokens = std::min(kBurst, bucket.tokens + passed / kRefill);
  }
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

// What is too old to be counted further, once there is much to remember.
void EventLog::Forget(Clock::TimePoint now) {
  if (entries_.size() >= kMaxRemembered) {
    std::erase_if(entries_, [&](const auto& item) {
      return item.second.wait == 0 && now - item.second.seen > kSameEvent;
    });
  }
  if (entries_.size() >= kMaxRemembered) {
    // All of them recent: begin anew, rather than grow.
    std::erase_if(entries_, [](const auto& item) { return item.second.wait == 0; });
  }
  if (buckets_.size() >= std::max(kMaxRemembered, many_buckets_)) {
    std::erase_if(buckets_, [&](const auto& item) {
      const std::chrono::duration<double> passed = now - item.second.at;
      return item.second.tokens + passed / kRefill >= kBurst;
    });
    many_buckets_ = 2 * buckets_.size();
  }
}

}  // namespace escagent::kube
