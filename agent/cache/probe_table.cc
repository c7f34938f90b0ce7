#include "agent/cache/probe_table.h"

#include <algorithm>

namespace escagent::cache {
namespace {

constexpr std::chrono::hours kForgetAfter{2};

bool SameAnswer(const Result<esc::EnvironmentHead>& a, const Result<esc::EnvironmentHead>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return *a == *b;
}

// As HEAD of the same ref has it: for a tag it knows no ETag (esc::Client::Head).
esc::EnvironmentHead HeadOf(const esc::EnvironmentRef& ref, const esc::Definition& definition) {
  const bool has_etag = ref.version.empty() || ref.version == "latest";
  return {.etag = has_etag ? definition.etag : "", .revision = definition.revision};
}

}  // namespace

ProbeTable::Entry& ProbeTable::Use(const EnvironmentKey& target) {
  Forget();
  Entry& entry = entries_[target];
  entry.used_at = clock_.Now();
  return entry;
}

void ProbeTable::Forget() {
  if (entries_.size() < forget_above_) return;
  const Clock::TimePoint now = clock_.Now();
  std::erase_if(entries_, [now](const auto& item) {
    return !item.second.asking && now - item.second.used_at > kForgetAfter;
  });
  forget_above_ = std::max<std::size_t>(256, 2 * entries_.size());
}

std::optional<Result<esc::EnvironmentHead>> ProbeTable::Known(const EnvironmentKey& target,
                                                              Clock::TimePoint not_before,
                                                              const std::stop_token& stop) {
  Entry& entry = Use(target);
  const std::uint64_t asked_before = entry.asked;
  while (true) {
    if (entry.answer && entry.asked_at > not_before) {
      ++stats_.kept;
      return entry.answer;
    }
    if (entry.asked != asked_before && !*entry.last) return entry.last;
    if (!entry.asking) return std::nullopt;
    if (stop.stop_requested()) {
      return MakeError(Code::kCancelled,
                       "look at environment " + target.ref.ToString() + ": stopped");
    }
    answered_.Wait(mutex_);
  }
}

std::optional<Result<esc::EnvironmentHead>> ProbeTable::Shared(const EnvironmentKey& target) {
  std::optional<HeadSource::Known> known = source_->Find(target);
  if (!known) return std::nullopt;
  MutexLock lock(mutex_);
  const auto it = entries_.find(target);
  const bool outdated = it != entries_.end() && it->second.answer &&
                        it->second.asked_at > known->since &&
                        !SameAnswer(*it->second.answer, known->head);
  if (outdated) return std::nullopt;
  ++stats_.shared;
  return std::move(known->head);
}

Result<esc::EnvironmentHead> ProbeTable::Head(esc::Api& api, const EnvironmentKey& target,
                                              Clock::TimePoint not_before,
                                              const std::stop_token& stop, bool accept_shared) {
  const Clock::TimePoint asked_at = clock_.Now();
  if (source_ != nullptr && accept_shared && not_before < asked_at) {
    if (auto shared = Shared(target)) return *std::move(shared);
  }
  {
    const std::stop_callback wake(stop, [this] {
      MutexLock lock(mutex_);
      answered_.NotifyAll();
    });
    MutexLock lock(mutex_);
    if (auto known = Known(target, not_before, stop)) return *std::move(known);
    entries_[target].asking = true;
  }
  Result<esc::EnvironmentHead> answer = api.Head(target.ref, stop);
  if (source_ != nullptr) source_->Asked(target, answer || answer.error().code == Code::kNotFound);
  bool news = false;
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_[target];
    entry.asking = false;
    ++entry.asked;
    entry.last = answer;
    ++stats_.calls;
    if (!answer) ++stats_.failures;
    news = Keep(entry, answer, asked_at);
    answered_.NotifyAll();
  }
  if (news) on_change_(target);
  return answer;
}

bool ProbeTable::Keep(Entry& entry, const Result<esc::EnvironmentHead>& answer,
                      Clock::TimePoint asked_at) {
  if (!answer && answer.error().code != Code::kNotFound) return false;
  // Of calls that crossed the later one counts.
  if (asked_at < entry.asked_at) return false;
  const bool news = entry.answer && !SameAnswer(*entry.answer, answer);
  entry.answer = answer;
  entry.asked_at = asked_at;
  return news;
}

Result<std::shared_ptr<const ReadDefinition>> ProbeTable::Definition(esc::Api& api,
                                                                     const EnvironmentKey& target,
                                                                     const std::stop_token& stop) {
  const Clock::TimePoint asked_at = clock_.Now();
  {
    MutexLock lock(mutex_);
    const Entry& entry = Use(target);
    const bool current = entry.definition != nullptr && entry.answer && *entry.answer &&
                         **entry.answer == entry.definition->head;
    if (current) return entry.definition;
    ++stats_.definitions;
  }
  ESC_ASSIGN_OR_RETURN(const esc::Definition definition, api.GetDefinition(target.ref, stop));
  ESC_ASSIGN_OR_RETURN(DefinitionFacts facts,
                       ReadDefinitionFacts(target.ref, definition.yaml.Reveal()));
  const esc::EnvironmentHead head = HeadOf(target.ref, definition);
  auto read = std::make_shared<const ReadDefinition>(
      ReadDefinition{.head = head, .facts = std::move(facts)});
  bool news = false;
  {
    MutexLock lock(mutex_);
    Entry& entry = Use(target);
    entry.definition = read;
    news = Keep(entry, head, asked_at);
  }
  if (news) on_change_(target);
  return read;
}

ProbeTable::Stats ProbeTable::GetStats() const {
  MutexLock lock(mutex_);
  return stats_;
}

}  // namespace escagent::cache
