#include "agent/freshness/probe_sharing.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "kube/resource.h"

namespace escagent::freshness {
namespace {

using std::chrono::milliseconds;

constexpr int kAskers = 8;
constexpr milliseconds kCallTimeout{3000};
// After a change the agents open within this, not all at once; after an outage, when more may have
// changed, within a fifth of the interval.
constexpr milliseconds kSpread{700};
constexpr milliseconds kLongestSleep{60000};
// As long as a lease lasts without its holder.
constexpr milliseconds kDeaf{12000};
// After a write that failed.
constexpr milliseconds kPause{1000};

std::uint_fast32_t RandomSeed() { return std::random_device()(); }

std::string NameOf(int shard) { return kProbesPrefix + std::to_string(shard); }

std::optional<int> ShardOfName(std::string_view name) {
  const std::string_view prefix = kProbesPrefix;
  if (!name.starts_with(prefix)) return std::nullopt;
  int shard = 0;
  const auto [end, error] =
      std::from_chars(name.data() + prefix.size(), name.data() + name.size(), shard);
  const bool good = error == std::errc() && end == name.data() + name.size() && shard >= 0 &&
                    shard < kProbeShards;
  return good ? std::optional(shard) : std::nullopt;
}

// Versions are decimal numbers that grow (Kubernetes API concepts, "Resource versions").
bool IsOlder(std::string_view version, std::string_view known) {
  return version.size() != known.size() ? version.size() < known.size() : version < known;
}

std::optional<store::StoreId> ParseStore(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view name = text.substr(space + 1);
  const std::size_t slash = name.find('/');
  store::StoreId id;
  if (slash == std::string_view::npos) {
    id = {.kind = store::StoreKind::kClusterSecretStore,
          .namespace_name = {},
          .name = std::string(name)};
  } else {
    id = {.kind = store::StoreKind::kSecretStore,
          .namespace_name = std::string(name.substr(0, slash)),
          .name = std::string(name.substr(slash + 1))};
  }
  if (id.ToString() != text) return std::nullopt;
  return id;
}

}  // namespace

class ProbeSharing::Watcher final : public kube::InformerHandler {
 public:
  explicit Watcher(ProbeSharing& sharing) : sharing_(sharing) {}

  void OnUpsert(kube::Object object, bool /*in_initial_list*/) override {
    ShardData data;
    const auto member = object.json().find("data");
    if (member != object.json().end() && member->is_object()) {
      for (const auto& [name, text] : member->items()) {
        if (text.is_string()) data.emplace(name, text.get<std::string>());
      }
    }
    sharing_.OnObject(object.Name(), object.ResourceVersion(), data);
  }
  void OnDelete(const kube::ObjectKey& key) override { sharing_.OnObject(key.name, "", {}); }
  void OnSynced() override {}
  void OnHealth(const Status& status) override { sharing_.OnHealth(status); }

 private:
  ProbeSharing& sharing_;
};

ProbeSharing::ProbeSharing(Options options, SharedHeads& heads, kube::Api& api,
                           kube::Informers& informers, store::KubeStoreRegistry& stores,
                           store::ApiFactory api_factory, OnNews on_news, OnBroken on_broken,
                           Clock& clock)
    : options_(std::move(options)),
      heads_(heads),
      api_(api),
      stores_(stores),
      api_factory_(std::move(api_factory)),
      on_news_(std::move(on_news)),
      on_broken_(std::move(on_broken)),
      clock_(clock),
      identity_(controller::ShardLeases::MakeIdentity(options_.node_name)),
      leases_({.namespace_name = options_.namespace_name,
               .identity = identity_,
               .name_prefix = kProbesPrefix,
               .label = kProbesLabel,
               .shards = kProbeShards},
              api, informers, clock),
      pool_(kAskers) {
  thread_ = StartThread("probe-sharing", [this](const std::stop_token& stop) { Run(stop); });
  informer_ = informers.Start({.resource = kube::ConfigMaps(),
                               .namespace_name = options_.namespace_name,
                               .label_selector = kProbesLabel},
                              std::make_shared<Watcher>(*this));
  leases_.Start({.on_gained = [this](int shard) { SetHeld(shard, true); },
                 .on_lost = [this](int shard) { SetHeld(shard, false); }});
  heads_.FollowLeases(
      [this](int shard) { return Hears() ? leases_.HolderOf(shard) : std::string(); });
}

ProbeSharing::~ProbeSharing() {
  heads_.FollowLeases({});
  informer_ = {};
  leases_.Stop();
  thread_.request_stop();
  thread_.join();
  leases_.Release();
}

void ProbeSharing::OnObject(const std::string& name, const std::string& version,
                            const ShardData& data) {
  const std::optional<int> shard = ShardOfName(name);
  if (!shard) return;
  {
    MutexLock lock(mutex_);
    // The answer to a write may come before the watch's news of earlier ones.
    if (!version.empty() && IsOlder(version, versions_[*shard])) return;
    versions_[*shard] = version;
    data_[*shard] = data;
    const auto duty = duties_.find(*shard);
    if (duty != duties_.end()) duty->second.Observe(data, clock_.Now());
  }
  waker_.WakeUp();
  for (const SharedHeads::News& news : heads_.Observe(*shard, data)) {
    on_news_(news.keys, news.recovered ? options_.interval / 5 : kSpread);
  }
}

void ProbeSharing::OnHealth(const Status& status) {
  if (status) {
    deaf_since_ = 0;
    return;
  }
  LogWarning("what other agents know of ESC cannot be followed: this agent asks by itself",
             {{log_key::kError, status.error()}});
  deaf_since_ = clock_.Now().time_since_epoch().count();
}

bool ProbeSharing::Hears() const {
  const Clock::TimePoint::rep since = deaf_since_;
  return since == 0 || clock_.Now() - Clock::TimePoint(Clock::TimePoint::duration(since)) < kDeaf;
}

void ProbeSharing::SetHeld(int shard, bool held) {
  {
    MutexLock lock(mutex_);
    duties_.erase(shard);
    if (held) {
      const auto [duty, is_new] = duties_.try_emplace(
          shard, ProbeDuty::Options{.identity = identity_, .interval = options_.interval},
          RandomSeed());
      duty->second.Observe(data_[shard], clock_.Now());
    }
  }
  waker_.WakeUp();
}

void ProbeSharing::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Clock::TimePoint next = AskDue();
    for (const auto& [shard, writes] : CollectWrites()) Write(shard, writes, stop);
    TellIfFull();
    waker_.SleepUntil(clock_, std::min(next, heads_.NextRegistration()), stop);
  }
}

Clock::TimePoint ProbeSharing::AskDue() {
  const Clock::TimePoint now = clock_.Now();
  Clock::TimePoint next = now + kLongestSleep;
  MutexLock lock(mutex_);
  for (auto& [shard, duty] : duties_) {
    for (SharedTarget& target : duty.TakeDue(now)) {
      pool_.Submit({}, [this, number = shard, target = std::move(target)](
                           const std::stop_token& stop) { Ask(number, target, stop); });
    }
    next = std::min(next, duty.NextTime());
  }
  return next;
}

void ProbeSharing::Ask(int shard, const SharedTarget& target, const std::stop_token& stop) {
  const Result<esc::EnvironmentHead> head = Head(target, stop);
  if (stop.stop_requested()) return;
  ++probes_;
  if (!head) ++probe_failures_;
  {
    MutexLock lock(mutex_);
    const auto duty = duties_.find(shard);
    if (duty != duties_.end()) duty->second.Answered(target, head, clock_.Now());
  }
  waker_.WakeUp();
}

Result<esc::EnvironmentHead> ProbeSharing::Head(const SharedTarget& target,
                                                const std::stop_token& stop) {
  const std::optional<store::StoreId> id = ParseStore(target.store);
  if (!id) return FailedPrecondition("look at ESC for others: no such kind of store");
  const Result<store::ResolvedStore> store = stores_.ResolveForValidation(*id);
  // That this agent has no token says nothing of ESC, nor of the environment.
  if (!store) return FailedPrecondition("look at ESC for others: " + store.error().message);
  // The token goes where its store says, whatever the object that agents share says.
  if (store->api_url != target.backend) {
    return FailedPrecondition("look at ESC for others: the store has another address now");
  }
  return api_factory_(*store)->Head(target.ref, stop);
}

std::map<int, ProbeDuty::Writes> ProbeSharing::CollectWrites() {
  std::map<int, ProbeDuty::Writes> all;
  const Clock::WallTime wall = clock_.WallNow();
  for (const auto& [shard, targets] : heads_.TakeRegistrations()) {
    for (const SharedTarget& target : targets) {
      all[shard][kTargetKey + target.Id()] = ToText(Registration{.target = target, .seen = wall});
    }
  }
  MutexLock lock(mutex_);
  for (const auto& [shard, duty] : duties_) {
    if (leases_.Holds(shard)) all[shard].merge(duty.PendingWrites(clock_.Now()));
  }
  std::erase_if(all, [](const auto& item) { return item.second.empty(); });
  return all;
}

Result<kube::Object> ProbeSharing::Send(int shard, const ProbeDuty::Writes& writes,
                                        const std::stop_token& stop) {
  nlohmann::json data = nlohmann::json::object();
  for (const auto& [name, text] : writes) {
    data[name] = text ? nlohmann::json(*text) : nlohmann::json(nullptr);
  }
  const kube::ObjectKey key{.namespace_name = options_.namespace_name, .name = NameOf(shard)};
  const kube::CallOptions call{.timeout = kCallTimeout, .stop = stop};
  const auto patch = [&] {
    return api_.Patch(kube::ConfigMaps(), key, kube::PatchType::kMerge,
                      kube::Object(nlohmann::json{{"data", data}}), "", call);
  };
  Result<kube::Object> written = patch();
  if (written || written.error().code != Code::kNotFound) return written;
  nlohmann::json first = data;
  std::erase_if(first.get_ref<nlohmann::json::object_t&>(),
                [](const auto& item) { return item.second.is_null(); });
  const nlohmann::json metadata = {{"name", key.name},
                                   {"namespace", key.namespace_name},
                                   {"labels", {{kProbesLabel, std::to_string(shard)}}}};
  written =
      api_.Create(kube::ConfigMaps(),
                  kube::Object(nlohmann::json{{"metadata", metadata}, {"data", first}}), call);
  // In a new cluster all agents find that there is none.
  const bool another_was_first = !written && written.error().code == Code::kAlreadyExists;
  return another_was_first ? patch() : std::move(written);
}

void ProbeSharing::Write(int shard, const ProbeDuty::Writes& writes, const std::stop_token& stop) {
  Result<kube::Object> written = Send(shard, writes, stop);
  if (stop.stop_requested()) return;
  ++writes_;
  if (written) {
    failing_since_.reset();
    // What was written is known before the watch tells it: it is not written again.
    Watcher(*this).OnUpsert(*std::move(written), false);
    return;
  }
  ++write_failures_;
  NoteFailure(shard, written.error());
  clock_.SleepUntil(clock_.Now() + kPause, stop);
}

void ProbeSharing::NoteFailure(int shard, const Error& error) {
  const Clock::TimePoint now = clock_.Now();
  if (!failing_since_) {
    failing_since_ = now;
    LogWarning("what agents share of ESC cannot be written; it is tried again",
               {{log_key::kShard, shard}, {log_key::kError, error}});
  }
  if (broken_ || now - *failing_since_ < options_.patience) return;
  broken_ = true;
  on_broken_();
}

void ProbeSharing::TellIfFull() {
  const int left_out = heads_.GetStats().left_out;
  if (left_out > 0 && !full_) {
    LogWarning(
        "there is no room for all environments in what agents share of ESC: this agent asks "
        "for the rest by itself",
        {{log_key::kCount, left_out}});
  }
  full_ = left_out > 0;
}

ProbeSharing::Stats ProbeSharing::GetStats() const {
  Stats stats{.probes = probes_,
              .probe_failures = probe_failures_,
              .writes = writes_,
              .write_failures = write_failures_};
  {
    MutexLock lock(mutex_);
    stats.shards_held = static_cast<int>(duties_.size());
    for (const auto& [shard, duty] : duties_) stats.probed_targets += duty.size();
  }
  for (int shard = 0; shard < kProbeShards; ++shard) {
    const auto seen = leases_.SeenAt(shard);
    if (!seen || leases_.Holds(shard) || !heads_.Follows(shard)) continue;
    ++stats.shards_followed;
    stats.age = std::max(
        stats.age, std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - *seen));
  }
  return stats;
}

}  // namespace escagent::freshness
