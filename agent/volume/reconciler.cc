#include "agent/volume/reconciler.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "base/thread.h"

namespace escagent::volume {
namespace {

// kubelet publishes a volume again within 90 s (reference/csi-contract.md 1.4), and again.
constexpr std::chrono::minutes kTokenPatience{5};

}  // namespace

// A subscription that failed in this round, with its error.
struct Reconciler::Attempt {
  cache::EnvironmentKey key;
  Error error;
};

// What one round has found out so far: hundreds of volumes may share a store.
struct Reconciler::Round {
  std::map<std::pair<std::string, std::string>, Result<VolumeSource>> sources;
  std::vector<Attempt> failed;
};

Reconciler::Reconciler(Options options, const SourceFinder& sources, Clock& clock,
                       std::function<VolumeList()> volumes)
    : options_(std::move(options)),
      sources_(sources),
      clock_(clock),
      volumes_(std::move(volumes)),
      next_check_(clock.Now() + options_.check_interval),
      thread_(StartThread("esc-volumes", [this](const std::stop_token& stop) { Run(stop); })) {}

Reconciler::~Reconciler() { Stop(); }

void Reconciler::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Reconciler::Check(const std::string& volume_id) {
  {
    MutexLock lock(mutex_);
    to_check_.insert(volume_id);
  }
  waker_.WakeUp();
}

void Reconciler::RetryLater(Volume& volume, std::optional<Error> error) const {
  const std::chrono::milliseconds interval =
      volume.identity().attributes.refresh_interval.value_or(options_.retry_interval);
  const bool news = volume.RetryAt(clock_.Now() + interval, error);
  if (news) {
    LogWarning("volume cannot be refreshed from its store",
               {{log_key::kVolume, volume.identity().volume_id}, {log_key::kError, *error}});
  }
}

void Reconciler::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Clock::TimePoint next;
    const VolumeList due = TakeDue(next);
    if (due.empty()) {
      waker_.SleepUntil(clock_, next, stop);
    } else {
      Reconcile(due, stop);
    }
  }
}

Reconciler::VolumeList Reconciler::TakeDue(Clock::TimePoint& next) {
  std::set<std::string> to_check;
  {
    MutexLock lock(mutex_);
    std::swap(to_check, to_check_);
  }
  const Clock::TimePoint now = clock_.Now();
  const bool check_all = now >= next_check_;
  if (check_all) next_check_ = now + options_.check_interval;
  // Retries are set with a wake-up or by this thread.
  next = next_check_;
  VolumeList due;
  for (std::shared_ptr<Volume>& volume : volumes_()) {
    const std::optional<Clock::TimePoint> next_try = volume->NextTry();
    if (check_all || to_check.contains(volume->identity().volume_id) ||
        (next_try && *next_try <= now)) {
      due.push_back(std::move(volume));
    } else if (next_try) {
      next = std::min(next, *next_try);
    }
  }
  return due;
}

void Reconciler::Reconcile(const VolumeList& volumes, const std::stop_token& stop) {
  Round round;
  for (const std::shared_ptr<Volume>& volume : volumes) {
    if (stop.stop_requested()) return;
    ReconcileOne(*volume, round, stop);
  }
}

void Reconciler::ReconcileOne(Volume& volume, Round& round, const std::stop_token& stop) {
  const VolumeIdentity& identity = volume.identity();
  if (identity.attributes.pod_environment) return ReconcilePod(volume, round, stop);
  const std::pair asked(identity.pod.namespace_name, identity.attributes.store.ToString());
  auto found = round.sources.find(asked);
  if (found == round.sources.end()) {
    found =
        round.sources.emplace(asked, sources_.Find(asked.first, identity.attributes.store)).first;
  }
  const Result<VolumeSource>& source = found->second;
  if (!source) return RetryLater(volume, source.error());
  Update(volume, *source, round, stop);
}

void Reconciler::ReconcilePod(Volume& volume, Round& round, const std::stop_token& stop) {
  if (const std::optional<VolumeSource> source = volume.PodSource()) {
    return Update(volume, *source, round, stop);
  }
  // After a restart of the agent; the values of before are served meanwhile.
  if (clock_.Now() < volume.created_at() + kTokenPatience) {
    return RetryLater(volume, std::nullopt);
  }
  RetryLater(volume, Error{.code = Code::kUnavailable,
                           .message = "kubelet has sent no service-account token since the agent's "
                                      "start; does the CSIDriver have requiresRepublish: true and "
                                      "the organization's audience in tokenRequests?"});
}

void Reconciler::Update(Volume& volume, const VolumeSource& source, Round& round,
                        const std::stop_token& stop) {
  if (volume.ComesFrom(source.key)) {
    volume.ClearRetry();
  } else {
    Resubscribe(volume, source, round, stop);
  }
  volume.Refresh();
}

void Reconciler::Resubscribe(Volume& volume, const VolumeSource& source, Round& round,
                             const std::stop_token& stop) {
  const auto known = std::ranges::find(round.failed, source.key, &Attempt::key);
  std::optional<Error> error;
  if (known != round.failed.end()) {
    error = known->error;
  } else {
    Result<cache::Subscription> subscription = sources_.Subscribe(
        source, volume.identity().attributes, [&volume] { volume.Refresh(); }, stop);
    if (subscription) {
      volume.Adopt(*std::move(subscription), {source.store_name, source.key.ref.ToString()});
      return Report(volume, std::nullopt);
    }
    error = std::move(subscription).error();
    round.failed.push_back({source.key, *error});
  }
  const bool awaited = volume.identity().attributes.optional && !volume.HasSource() &&
                       error->code == Code::kNotFound;
  if (awaited) return RetryLater(volume, std::nullopt);
  volume.SetDenied(error->code == Code::kPermissionDenied || error->code == Code::kUnauthenticated);
  Report(volume, error);
  RetryLater(volume, std::move(error));
}

void Reconciler::Report(const Volume& volume, const std::optional<Error>& error) const {
  if (!options_.observer) return;
  options_.observer({.kind = VolumeEvent::Kind::kResubscribe,
                     .volume_id = volume.identity().volume_id,
                     .error = error,
                     .duration = std::chrono::milliseconds(0)});
}

}  // namespace escagent::volume
