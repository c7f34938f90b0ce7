#include "agent/controller/shard_leases.h"

#include <cstdint>
#include <random>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "kube/lease.h"
#include "kube/resource.h"

namespace escagent::controller {
namespace {

std::uint_fast32_t RandomSeed() { return std::random_device()(); }

ShardBoard::Options BoardOptions(const ShardLeases::Options& options) {
  return {.namespace_name = options.namespace_name,
          .identity = options.identity,
          .name_prefix = options.name_prefix,
          .label = options.label,
          .shards = options.shards,
          .duration = options.duration,
          .renew = options.renew};
}

}  // namespace

class ShardLeases::Handler final : public kube::InformerHandler {
 public:
  explicit Handler(ShardLeases& leases) : leases_(leases) {}

  void OnUpsert(kube::Object object, bool /*in_initial_list*/) override { leases_.OnLease(object); }
  void OnDelete(const kube::ObjectKey& key) override { leases_.OnLeaseGone(key); }
  void OnSynced() override { leases_.OnListed(); }
  void OnHealth(const Status& status) override {
    if (status) return;
    LogWarning("shard leases cannot be followed", {{log_key::kError, status.error()}});
  }

 private:
  ShardLeases& leases_;
};

ShardLeases::ShardLeases(Options options, kube::Api& api, kube::Informers& informers, Clock& clock)
    : options_(std::move(options)),
      api_(api),
      informers_(informers),
      clock_(clock),
      usable_until_(static_cast<std::size_t>(options_.shards)),
      board_(BoardOptions(options_), RandomSeed()) {}

ShardLeases::~ShardLeases() { Stop(); }

std::string ShardLeases::MakeIdentity(std::string_view node_name) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::random_device random;
  std::string identity = std::string(node_name) + "_";
  for (int i = 0; i < 8; ++i) identity.push_back(kHex[random() % kHex.size()]);
  return identity;
}

void ShardLeases::Start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  callback_thread_ = StartThread("shard-calls", [this] { RunCallbacks(); });
  lease_thread_ =
      StartThread("shard-leases", [this](const std::stop_token& stop) { RunLeases(stop); });
  informer_ = informers_.Start({.resource = kube::Leases(),
                                .namespace_name = options_.namespace_name,
                                .label_selector = options_.label,
                                .field_selector = ""},
                               std::make_shared<Handler>(*this));
}

void ShardLeases::Stop() {
  for (auto& until : usable_until_) until.store(0);
  lease_thread_ = {};
  informer_ = {};
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    events_changed_.NotifyAll();
  }
  callback_thread_ = {};
}

void ShardLeases::Release() {
  Stop();
  std::vector<kube::Lease> held;
  {
    MutexLock lock(mutex_);
    held = board_.Held();
  }
  for (kube::Lease& lease : held) GiveBack(std::move(lease));
}

void ShardLeases::GiveBack(kube::Lease lease) {
  const kube::CallOptions call{.priority = kube::Priority::kExempt,
                               .timeout = options_.call_timeout};
  const kube::ObjectKey key = lease.key;
  lease.holder_identity.clear();
  const auto replaced = api_.Replace(kube::Leases(), kube::ToObject(lease), call);
  if (replaced || replaced.error().code != Code::kAborted) return;
  // Somebody has asked for it meanwhile.
  const Result<kube::Object> object = api_.Get(kube::Leases(), key, call);
  if (!object) return;
  Result<kube::Lease> newest = kube::ParseLease(*object);
  if (!newest || newest->holder_identity != options_.identity) return;
  newest->holder_identity.clear();
  const auto again = api_.Replace(kube::Leases(), kube::ToObject(*newest), call);
  if (!again) LogWarning("a shard lease is left to expire", {{log_key::kError, again.error()}});
}

int ShardLeases::ShardOf(std::string_view name) const {
  // FNV-1a, 64 bits (draft-eastlake-fnv).
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return static_cast<int>(hash % static_cast<std::uint64_t>(options_.shards));
}

bool ShardLeases::Holds(int shard) const {
  const auto until = usable_until_[static_cast<std::size_t>(shard)].load();
  return until != 0 && clock_.Now().time_since_epoch().count() < until;
}

std::string ShardLeases::HolderOf(int shard) const {
  MutexLock lock(mutex_);
  return board_.HolderOf(shard, clock_.Now());
}

std::optional<Clock::TimePoint> ShardLeases::SeenAt(int shard) const {
  MutexLock lock(mutex_);
  return board_.SeenAt(shard);
}

std::vector<ShardStatus> ShardLeases::GetStatus() const {
  std::vector<ShardStatus> all;
  MutexLock lock(mutex_);
  for (int shard = 0; shard < options_.shards; ++shard) {
    ShardStatus status{.shard = shard, .holder = "", .ours = Holds(shard), .since = {}};
    if (const std::optional<kube::Lease>& lease = board_.LeaseOf(shard)) {
      status.holder = lease->holder_identity;
      status.since = lease->acquire_time;
    }
    all.push_back(std::move(status));
  }
  return all;
}

void ShardLeases::OnLease(const kube::Object& object) {
  Result<kube::Lease> lease = kube::ParseLease(object);
  if (!lease) {
    LogWarning("a shard lease cannot be read", {{log_key::kError, lease.error()}});
    return;
  }
  {
    MutexLock lock(mutex_);
    const std::optional<int> shard = board_.ShardOfLease(lease->key.name);
    if (!shard) return;
    board_.Observe(*shard, *std::move(lease), clock_.Now());
    Publish();
  }
  waker_.WakeUp();
}

void ShardLeases::OnLeaseGone(const kube::ObjectKey& key) {
  {
    MutexLock lock(mutex_);
    const std::optional<int> shard = board_.ShardOfLease(key.name);
    if (!shard) return;
    board_.ObserveGone(*shard, clock_.Now());
    Publish();
  }
  waker_.WakeUp();
}

void ShardLeases::OnListed() {
  {
    MutexLock lock(mutex_);
    board_.NoteListed();
  }
  waker_.WakeUp();
}

void ShardLeases::Publish() {
  for (int shard = 0; shard < options_.shards; ++shard) {
    const std::optional<Clock::TimePoint> until = board_.UsableUntil(shard);
    usable_until_[static_cast<std::size_t>(shard)].store(until ? until->time_since_epoch().count()
                                                               : 0);
  }
  for (const ShardBoard::Event& event : board_.TakeEvents()) events_.push_back(event);
  if (!events_.empty()) events_changed_.NotifyAll();
}

void ShardLeases::RunLeases(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::optional<ShardBoard::Action> action;
    Clock::TimePoint next;
    {
      MutexLock lock(mutex_);
      const Clock::TimePoint now = clock_.Now();
      action = board_.Next(now, clock_.WallNow());
      next = board_.NextTime(now);
      Publish();
    }
    if (action) {
      Execute(*action, stop);
    } else {
      waker_.SleepUntil(clock_, next, stop);
    }
  }
}

void ShardLeases::Execute(const ShardBoard::Action& action, const std::stop_token& stop) {
  const Clock::TimePoint asked = clock_.Now();
  const Result<kube::Object> object = Write(action, stop);
  Result<kube::Lease> written =
      object ? kube::ParseLease(*object) : Result<kube::Lease>(std::unexpected(object.error()));
  bool conflict = false;
  {
    MutexLock lock(mutex_);
    if (stop.stop_requested()) return;
    if (written) {
      board_.Succeeded(action, *std::move(written), asked);
    } else {
      const Code code = written.error().code;
      conflict = code == Code::kAborted || code == Code::kAlreadyExists;
      board_.Failed(action, code, clock_.Now());
    }
    Publish();
  }
  if (conflict) Reread(action, stop);
}

Result<kube::Object> ShardLeases::Write(const ShardBoard::Action& action,
                                        const std::stop_token& stop) {
  const kube::CallOptions call{
      .priority = kube::Priority::kExempt, .timeout = options_.call_timeout, .stop = stop};
  switch (action.kind) {
    case ShardBoard::Kind::kCreate:
      return api_.Create(kube::Leases(), kube::ToObject(action.lease), call);
    case ShardBoard::Kind::kAsk: {
      const nlohmann::json metadata = {{"resourceVersion", action.lease.resource_version},
                                       {"annotations", {{kWantedByAnnotation, options_.identity}}}};
      return api_.Patch(kube::Leases(), action.lease.key, kube::PatchType::kMerge,
                        kube::Object(nlohmann::json{{"metadata", metadata}}), "", call);
    }
    case ShardBoard::Kind::kTake:
    case ShardBoard::Kind::kRenew:
    case ShardBoard::Kind::kHandOver:
      return api_.Replace(kube::Leases(), kube::ToObject(action.lease), call);
  }
  return Internal("write a shard lease: no such action");
}

void ShardLeases::Reread(const ShardBoard::Action& action, const std::stop_token& stop) {
  const Result<kube::Object> object = api_.Get(
      kube::Leases(), action.lease.key,
      {.priority = kube::Priority::kExempt, .timeout = options_.call_timeout, .stop = stop});
  Result<kube::Lease> lease =
      object ? kube::ParseLease(*object) : Result<kube::Lease>(std::unexpected(object.error()));
  MutexLock lock(mutex_);
  if (lease) {
    board_.ObserveNewest(action.shard, *std::move(lease), clock_.Now());
  } else {
    board_.Failed(action, lease.error().code, clock_.Now());
  }
  Publish();
}

void ShardLeases::RunCallbacks() {
  while (true) {
    ShardBoard::Event event;
    {
      MutexLock lock(mutex_);
      while (events_.empty() && !stopping_) events_changed_.Wait(mutex_);
      if (stopping_) return;
      event = events_.front();
      events_.pop_front();
    }
    if (event.held) {
      LogInfo("shard taken", {{log_key::kShard, event.shard}});
      callbacks_.on_gained(event.shard);
      continue;
    }
    LogInfo("shard given up", {{log_key::kShard, event.shard}});
    callbacks_.on_lost(event.shard);
    {
      MutexLock lock(mutex_);
      board_.Drained(event.shard);
    }
    waker_.WakeUp();
  }
}

}  // namespace escagent::controller
