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
  Entry& entry = entries_[KeyOf(occurrence)];
  if (entry.count == 0 || (now - entry.seen > kSameEvent && !entry.waiting)) {
    entry = Entry{};
    entry.what = std::move(occurrence);
    entry.first = wall;
    entry.due = now;
  }
  ++entry.count;
  entry.seen = now;
  entry.last = wall;
  if (std::exchange(entry.waiting, true)) return;
  entry.id = ++last_id_;
  entry.retried = false;
  if (++waiting_ > kMaxWaiting) DropOldest();
}

std::optional<EventLog::Write> EventLog::Next(Clock::TimePoint now) {
  while (true) {
    Entry* next = nullptr;
    const Key* key = nullptr;
    for (auto& [candidate_key, entry] : entries_) {
      if (!entry.waiting || entry.due > now || (next != nullptr && entry.id > next->id)) continue;
      next = &entry;
      key = &candidate_key;
    }
    if (next == nullptr) return std::nullopt;
    next->waiting = false;
    next->due = now + kWriteInterval;
    --waiting_;
    // Without a token this round is left out; the count goes on.
    if (!MayWrite(std::get<0>(*key), now)) continue;
    return Write{next->id, next->what, next->name, next->count, next->first, next->last};
  }
}

EventLog::Entry* EventLog::Find(const Write& write) {
  const auto it = entries_.find(KeyOf(write.what));
  return it == entries_.end() ? nullptr : &it->second;
}

void EventLog::Written(const Write& write, std::string name) {
  if (Entry* entry = Find(write)) entry->name = std::move(name);
}

void EventLog::Failed(const Write& write, Clock::TimePoint now) {
  Entry* entry = Find(write);
  if (entry == nullptr || entry->waiting || std::exchange(entry->retried, true)) return;
  entry->waiting = true;
  entry->due = now + kWriteInterval;
  if (++waiting_ > kMaxWaiting) DropOldest();
}

std::optional<Clock::TimePoint> EventLog::NextDue() const {
  std::optional<Clock::TimePoint> due;
  for (const auto& [key, entry] : entries_) {
    if (entry.waiting && (!due || entry.due < *due)) due = entry.due;
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
      return !item.second.waiting && now - item.second.seen > kSameEvent;
    });
  }
  if (entries_.size() >= kMaxRemembered) {
    // All of them recent: begin anew, rather than grow.
    std::erase_if(entries_, [](const auto& item) { return !item.second.waiting; });
  }
  if (buckets_.size() >= kMaxRemembered) {
    std::erase_if(buckets_, [&](const auto& item) {
      const std::chrono::duration<double> passed = now - item.second.at;
      return item.second.tokens + passed / kRefill >= kBurst;
    });
  }
}

void EventLog::DropOldest() {
  const auto oldest = std::ranges::min_element(entries_, {}, [](const auto& item) {
    return item.second.waiting ? item.second.id : UINT64_MAX;
  });
  oldest->second.waiting = false;
  --waiting_;
}

}  // namespace escagent::kube
