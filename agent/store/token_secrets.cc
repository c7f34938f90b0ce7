#include "agent/store/token_secrets.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/store/token_secret.h"
#include "base/thread.h"
#include "kube/resource.h"

namespace escagent::store {
namespace {

constexpr std::chrono::hours kLongestSleep{1};
// When to look again at a token that is being read just when it could go.
constexpr std::chrono::seconds kBusyRest{10};
// How long a failed read is not repeated.
constexpr std::chrono::milliseconds kFailureRest{1000};

bool SameAnswer(const Result<AccessToken>& a, const Result<AccessToken>& b) {
  if (a.has_value() != b.has_value()) return false;
  if (a) return a->identity == b->identity;
  return a.error().code == b.error().code && a.error().message == b.error().message;
}

}  // namespace

// Follows one Secret.
class TokenSecrets::Watcher final : public kube::InformerHandler {
 public:
  Watcher(TokenSecrets& tokens, SecretKeyRef ref) : tokens_(tokens), ref_(std::move(ref)) {}

  void OnUpsert(kube::Object object, bool /*in_initial_list*/) override {
    there_ = true;
    tokens_.Report(ref_, TokenOfSecret(ref_, object));
  }
  void OnDelete(const kube::ObjectKey& /*key*/) override {
    there_ = false;
    tokens_.Report(ref_, NoTokenSecret(ref_));
  }
  void OnSynced() override {
    if (!there_) tokens_.Report(ref_, NoTokenSecret(ref_));
    tokens_.ReportSynced(ref_);
  }
  void OnHealth(const Status& status) override { tokens_.ReportHealth(ref_, status.has_value()); }

 private:
  TokenSecrets& tokens_;
  const SecretKeyRef ref_;
  bool there_ = false;
};

TokenSecrets::TokenSecrets(Options options, kube::Api& api, kube::Informers& informers,
                           Clock& clock, OnChange on_change)
    : options_(options),
      api_(api),
      informers_(informers),
      clock_(clock),
      on_change_(std::move(on_change)) {
  sweeper_ =
      StartThread("token-sweeper", [this](const std::stop_token& stop) { RunSweeper(stop); });
}

TokenSecrets::~TokenSecrets() {
  sweeper_ = {};
  // A watcher that reports now must find its entry, so the watches end first, without the lock.
  std::vector<kube::InformerHandle> watches;
  MutexLock lock(mutex_);
  for (auto& [ref, entry] : entries_) watches.push_back(std::move(entry.watch));
}

void TokenSecrets::AddStore(const SecretKeyRef& ref) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[ref];
  ++entry.stores;
  entry.unnamed_since.reset();
}

void TokenSecrets::RemoveStore(const SecretKeyRef& ref) {
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(ref);
    if (it == entries_.end() || --it->second.stores > 0) return;
    it->second.unnamed_since = clock_.Now();
  }
  sweeper_waker_.WakeUp();
}

bool TokenSecrets::IsCurrent(const Entry& entry) const {
  if (!entry.token) return false;
  if (entry.watched) return true;
  return clock_.Now() - entry.read_at < (*entry.token ? options_.reread : kFailureRest);
}

Result<AccessToken> TokenSecrets::Read(const SecretKeyRef& ref) {
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_[ref];
    if (entry.stores == 0 && !entry.unnamed_since) {
      entry.unnamed_since = clock_.Now();
      sweeper_waker_.WakeUp();
    }
    ++entry.readers;
    const bool reading = entry.reading;
    while (entry.reading && !entry.token) read_.Wait(mutex_);
    if (reading || IsCurrent(entry)) {
      --entry.readers;
      return *entry.token;
    }
    entry.reading = true;
  }
  return ReadAndWatch(ref);
}

Result<AccessToken> TokenSecrets::ReadAndWatch(const SecretKeyRef& ref) {
  std::uint64_t reports = 0;
  {
    MutexLock lock(mutex_);
    reports = entries_.at(ref).reports;
  }
  Result<AccessToken> token = ReadTokenSecret(
      api_, ref, {.priority = kube::Priority::kInteractive, .timeout = options_.read_timeout});
  bool changed = false;
  std::shared_ptr<Watcher> watcher;
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_.at(ref);
    entry.reading = false;
    entry.read_at = clock_.Now();
    const bool away = !token && token.error().code == Code::kUnavailable;
    const bool known = entry.token && *entry.token;
    // What the watch has told meanwhile may be newer.
    if (entry.reports == reports && !(away && known)) changed = Set(entry, std::move(token));
    token = *entry.token;
    if (!entry.watcher) watcher = entry.watcher = std::make_shared<Watcher>(*this, ref);
    if (!watcher) --entry.readers;
    read_.NotifyAll();
  }
  if (watcher) {
    kube::InformerHandle watch = informers_.Start({.resource = kube::Secrets(),
                                                   .namespace_name = ref.namespace_name,
                                                   .label_selector = "",
                                                   .field_selector = "metadata.name=" + ref.name,
                                                   .metadata_only = false,
                                                   .watch_only = true},
                                                  watcher);
    MutexLock lock(mutex_);
    Entry& entry = entries_.at(ref);
    entry.watch = std::move(watch);
    --entry.readers;
  }
  if (changed) on_change_(ref);
  return token;
}

bool TokenSecrets::Set(Entry& entry, Result<AccessToken> token) {
  const bool changed = entry.token && !SameAnswer(*entry.token, token);
  entry.token = std::move(token);
  return changed;
}

void TokenSecrets::Report(const SecretKeyRef& ref, Result<AccessToken> token) {
  bool changed = false;
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(ref);
    if (it == entries_.end()) return;
    ++it->second.reports;
    changed = Set(it->second, std::move(token));
  }
  if (changed) on_change_(ref);
}

void TokenSecrets::ReportSynced(const SecretKeyRef& ref) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(ref);
  if (it != entries_.end()) it->second.watched = it->second.synced = true;
}

void TokenSecrets::ReportHealth(const SecretKeyRef& ref, bool works) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(ref);
  if (it != entries_.end()) it->second.watched = works && it->second.synced;
}

void TokenSecrets::RunSweeper(const std::stop_token& stop) {
  while (!stop.stop_requested()) sweeper_waker_.SleepUntil(clock_, Sweep(), stop);
}

Clock::TimePoint TokenSecrets::Sweep() {
  const Clock::TimePoint now = clock_.Now();
  Clock::TimePoint next = now + kLongestSleep;
  std::vector<kube::InformerHandle> ended;
  MutexLock lock(mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    const bool over = entry.unnamed_since && *entry.unnamed_since + options_.linger <= now;
    if (over && entry.readers == 0) {
      ended.push_back(std::move(entry.watch));
      it = entries_.erase(it);
      continue;
    }
    if (over) next = std::min(next, now + kBusyRest);
    if (entry.unnamed_since && !over) {
      next = std::min(next, *entry.unnamed_since + options_.linger);
    }
    ++it;
  }
  return next;
}

}  // namespace escagent::store
