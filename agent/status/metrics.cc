#include "agent/status/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/locked_memory.h"
#include "base/version.h"

namespace escagent::status {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// Collects metric families in the order they are first named.
class Families {
 public:
  void Counter(const std::string& name, const std::string& help, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = value;
    Family(name, help, MetricType::Counter).metric.push_back(std::move(metric));
  }
  void Gauge(const std::string& name, const std::string& help, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    Family(name, help, MetricType::Gauge).metric.push_back(std::move(metric));
  }
  MetricFamily& Family(const std::string& name, const std::string& help, MetricType type) {
    const auto it = std::find_if(families_.begin(), families_.end(),
                                 [&](const MetricFamily& family) { return family.name == name; });
    if (it != families_.end()) return *it;
    families_.push_back({.name = name, .help = help, .type = type, .metric = {}});
    return families_.back();
  }
  std::string Text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
};

std::string_view EventName(volume::VolumeEvent::Kind kind) {
  using Kind = volume::VolumeEvent::Kind;
  switch (kind) {
    case Kind::kPublish:
      return "publish";
    case Kind::kRepublish:
      return "republish";
    case Kind::kRestack:
      return "restack";
    case Kind::kUnpublish:
      return "unpublish";
    case Kind::kRotate:
      return "rotate";
    case Kind::kRefuse:
      return "refuse";
    case Kind::kResubscribe:
      return "resubscribe";
  }
  return "other";
}

void AddCache(Families& out, const cache::CacheStats& stats) {
  const std::string requests = "esc_agent_esc_requests_total";
  const std::string help = "Requests to ESC by operation and outcome.";
  const auto add = [&](const char* operation, std::uint64_t all, std::uint64_t failed) {
    out.Counter(requests, help, {{"operation", operation}, {"outcome", "ok"}},
                static_cast<double>(all - std::min(all, failed)));
    out.Counter(requests, help, {{"operation", operation}, {"outcome", "error"}},
                static_cast<double>(failed));
  };
  add("open", stats.opens, stats.open_failures);
  add("head", stats.heads, stats.head_failures);
  out.Counter("esc_agent_esc_definitions_read_total",
              "Definitions read to learn the imports of environments.", {},
              static_cast<double>(stats.definitions));
  const std::string spared = "esc_agent_heads_spared_total";
  const std::string spared_help = "Looks at an environment that needed no request to ESC.";
  out.Counter(spared, spared_help, {{"by", "agents"}}, static_cast<double>(stats.heads_shared));
  out.Counter(spared, spared_help, {{"by", "environments"}},
              static_cast<double>(stats.heads_spared - stats.heads_shared));
  out.Counter("esc_agent_snapshots_published_total",
              "Opens that brought new content, so that volumes were rotated.", {},
              static_cast<double>(stats.published));
  out.Counter("esc_agent_snapshots_unchanged_total",
              "Opens whose content was equal to what was there.", {},
              static_cast<double>(stats.unchanged));
  out.Counter("esc_agent_cache_hits_total", "Subscriptions answered without asking ESC.", {},
              static_cast<double>(stats.hits));
}

void AddEnvironments(Families& out, const Report& report) {
  out.Gauge("esc_agent_environments", "Environments in the cache.", {},
            static_cast<double>(report.environments.size()));
  // One environment may be opened with several identities or at several backends: the worst counts.
  std::map<std::string, std::pair<double, bool>> worst;
  for (const auto& environment : report.environments) {
    auto& [age, failing] = worst[environment.key.ref.ToString()];
    const double stale =
        environment.fresh_at
            ? std::chrono::duration<double>(report.now - *environment.fresh_at).count()
            : std::numeric_limits<double>::infinity();
    age = std::max(age, stale);
    failing = failing || environment.last_error.has_value();
  }
  for (const auto& [name, state] : worst) {
    out.Gauge("esc_agent_environment_age_seconds",
              "Time since the environment's values were last known to be current.",
              {{"environment", name}}, state.first);
    out.Gauge("esc_agent_environment_failing",
              "1 while the last attempt to refresh the environment failed.",
              {{"environment", name}}, state.second ? 1 : 0);
  }
}

// Names of ESO's metrics where it has one, so that its dashboards and alerts go on working.
void AddMirror(Families& out, const controller::MirrorStatus& mirror) {
  const auto held = std::count_if(mirror.shards.begin(), mirror.shards.end(),
                                  [](const controller::ShardStatus& shard) { return shard.ours; });
  out.Gauge("esc_agent_mirror_shards", "Shards of namespaces that this agent mirrors.", {},
            static_cast<double>(held));
  const controller::ExternalSecretController::Stats& stats = mirror.external_secrets;
  const std::string help = "ExternalSecrets of this agent's shards, by their condition Ready.";
  const auto add = [&](const char* state, std::size_t count) {
    out.Gauge("esc_agent_mirror_external_secrets", help, {{"ready", state}},
              static_cast<double>(count));
  };
  add("true", stats.objects.ready);
  add("false", stats.objects.failed);
  add("unknown", stats.objects.total - stats.objects.ready - stats.objects.failed);
  out.Gauge("esc_agent_mirror_queue_depth", "ExternalSecrets that wait to be synchronised.", {},
            static_cast<double>(stats.waiting));
  out.Counter("esc_agent_mirror_secret_writes_total", "Secrets created, changed and deleted.", {},
              static_cast<double>(stats.secret_writes));
  out.Counter("esc_agent_mirror_status_writes_total", "Status writes of ExternalSecrets.", {},
              static_cast<double>(stats.status_writes));
  out.Gauge("esc_agent_mirror_push_secrets", "PushSecrets of this agent's shards.", {},
            static_cast<double>(mirror.push_secrets.total));
  out.Gauge("esc_agent_mirror_push_secrets_failed", "Those that are not ready.", {},
            static_cast<double>(mirror.push_secrets.failed));
  out.Counter("esc_agent_mirror_definition_updates_total",
              "Environment definitions that PushSecrets have changed.", {},
              static_cast<double>(mirror.push_secrets.updates));
  out.Counter("externalsecret_sync_calls_total", "Synchronisations of ExternalSecrets.", {},
              static_cast<double>(stats.syncs));
  out.Counter("externalsecret_sync_calls_error", "Synchronisations that failed.", {},
              static_cast<double>(stats.failures));
  for (const auto& failure : stats.objects.failures) {
    out.Gauge("externalsecret_status_condition",
              "1 for each ExternalSecret that is not ready (100 at most).",
              {{"condition", "Ready"},
               {"status", "False"},
               {"name", failure.key.name},
               {"namespace", failure.key.namespace_name}},
              1);
  }
}

void AddTokens(Families& out, const identity::TokenStats& stats) {
  const std::string help = "Exchanges of service accounts' tokens for access tokens, by outcome.";
  const auto add = [&](const char* outcome, std::uint64_t count) {
    out.Counter("esc_agent_token_exchanges_total", help, {{"outcome", outcome}},
                static_cast<double>(count));
  };
  add("ok", stats.exchanges.succeeded);
  add("denied", stats.exchanges.denied);
  add("error", stats.exchanges.failed);
  out.Gauge("esc_agent_identities", "Service accounts whose access tokens are held or wanted.", {},
            static_cast<double>(stats.identities));
}

void AddProcess(Families& out, const Report& report) {
  out.Gauge("esc_agent_build_info", "Always 1; the version is a label.",
            {{"version", std::string(kVersion)}}, 1);
  out.Gauge("esc_agent_registered", "1 when kubelet has acknowledged the CSI driver.", {},
            report.registered ? 1 : 0);
  if (report.keeper_connected) {
    out.Gauge("esc_agent_keeper_connected", "1 when esc-keeper answers; absent without a keeper.",
              {}, *report.keeper_connected ? 1 : 0);
  }
  const auto abnormal = std::count_if(report.volumes.begin(), report.volumes.end(),
                                      [](const auto& volume) { return volume.abnormal; });
  out.Gauge("esc_agent_volumes", "Volumes that are published.", {},
            static_cast<double>(report.volumes.size()));
  out.Gauge("esc_agent_volumes_abnormal", "Published volumes whose condition is abnormal.", {},
            static_cast<double>(abnormal));
  const auto refused = std::count_if(report.volumes.begin(), report.volumes.end(),
                                     [](const auto& volume) { return volume.refused; });
  out.Gauge("esc_agent_volumes_refused", "Published volumes whose identity ESC refuses.", {},
            static_cast<double>(refused));
  const LockedMemoryStats memory = GetLockedMemoryStats();
  const std::string help = "Memory for values and tokens, by state.";
  out.Gauge("esc_agent_secret_memory_bytes", help, {{"state", "mapped"}},
            static_cast<double>(memory.mapped_bytes));
  out.Gauge("esc_agent_secret_memory_bytes", help, {{"state", "used"}},
            static_cast<double>(memory.used_bytes));
  out.Gauge("esc_agent_secret_memory_bytes", help, {{"state", "unlocked"}},
            static_cast<double>(memory.unlocked_bytes));
  if (report.audit) {
    const std::string events = "Events of the audit log, by outcome; absent without one.";
    out.Counter("esc_agent_audit_events_total", events, {{"outcome", "written"}},
                static_cast<double>(report.audit->written));
    out.Counter("esc_agent_audit_events_total", events, {{"outcome", "lost"}},
                static_cast<double>(report.audit->lost));
  }
}

void AddProbes(Families& out, const freshness::SharedHeads::Stats& heads,
               const freshness::ProbeSharing::Stats& probes) {
  const auto add = [&](const char* name, const char* help, const char* label, const char* value,
                       double count) { out.Gauge(name, help, {{label, value}}, count); };
  constexpr char kShards[] = "esc_agent_probe_shards";
  constexpr char kShardsHelp[] = "Shards of environments by this agent's part in them.";
  add(kShards, kShardsHelp, "role", "leader", probes.shards_held);
  add(kShards, kShardsHelp, "role", "follower", probes.shards_followed);
  constexpr char kTargets[] = "esc_agent_probe_targets";
  constexpr char kTargetsHelp[] = "Environments that this agent wants to know of, by who asks.";
  add(kTargets, kTargetsHelp, "asked_by", "leader", heads.shared);
  add(kTargets, kTargetsHelp, "asked_by", "agent", heads.targets - heads.shared);
  out.Gauge("esc_agent_probe_targets_left_out",
            "Environments for which there is no room in what agents share.", {}, heads.left_out);
  out.Gauge("esc_agent_probe_leader_age_seconds",
            "Since the agent that asks for all gave a sign of life; of the shards the longest.", {},
            std::chrono::duration<double>(probes.age).count());
  const auto count = [&](const char* name, const char* help, std::uint64_t all,
                         std::uint64_t failed) {
    out.Counter(name, help, {{"outcome", "ok"}}, static_cast<double>(all - std::min(all, failed)));
    out.Counter(name, help, {{"outcome", "error"}}, static_cast<double>(failed));
  };
  count("esc_agent_probes_total", "HEADs that this agent made for all agents.", probes.probes,
        probes.probe_failures);
  count("esc_agent_probe_writes_total", "Writes of what agents share.", probes.writes,
        probes.write_failures);
}

void AddWebhooks(Families& out, const SharingStatus& sharing) {
  const auto add = [&](const char* outcome, std::uint64_t count) {
    out.Counter("esc_agent_webhooks_total", "Webhooks that this agent got, by what became of them.",
                {{"outcome", outcome}}, static_cast<double>(count));
  };
  if (sharing.webhooks) {
    add("accepted", sharing.webhooks->accepted);
    add("replayed", sharing.webhooks->replayed);
    add("ignored", sharing.webhooks->ignored);
    add("wrong_signature", sharing.webhooks->wrongly_signed);
    add("no_secret", sharing.webhooks->no_secret);
    add("too_large", sharing.webhooks->too_large);
    add("malformed", sharing.webhooks->malformed);
  }
  if (!sharing.relay) return;
  const auto relayed = [&](const char* direction, std::uint64_t count) {
    out.Counter("esc_agent_changes_relayed_total",
                "Changes that agents told each other: told and failed from here, heard of others.",
                {{"direction", direction}}, static_cast<double>(count));
  };
  relayed("told", sharing.relay->told);
  relayed("failed", sharing.relay->failed);
  relayed("heard", sharing.relay->heard);
}

}  // namespace

void Metrics::CountRpc(std::string_view method, Code code, std::chrono::nanoseconds duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  MutexLock lock(mutex_);
  ++rpcs_[{std::string(method), std::string(CodeName(code))}];
  Histogram& histogram = rpc_seconds_[std::string(method)];
  ++histogram.total;
  histogram.sum += seconds;
  const auto bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), seconds);
  if (bucket != kBuckets.end()) {
    ++histogram.counts[static_cast<std::size_t>(bucket - kBuckets.begin())];
  }
}

void Metrics::CountVolumeEvent(const volume::VolumeEvent& event) {
  MutexLock lock(mutex_);
  ++events_[{std::string(EventName(event.kind)), event.error ? "error" : "ok"}];
}

std::string Metrics::Serialize(const Report& report, const cache::CacheStats& cache) const {
  Families out;
  AddProcess(out, report);
  AddEnvironments(out, report);
  AddCache(out, cache);
  AddTokens(out, report.tokens);
  if (report.mirror) AddMirror(out, *report.mirror);
  out.Gauge("esc_agent_sharing", "1 while this agent and others look at ESC once for all.", {},
            report.sharing.probes ? 1 : 0);
  if (report.sharing.probes) AddProbes(out, report.sharing.heads, *report.sharing.probes);
  AddWebhooks(out, report.sharing);
  MutexLock lock(mutex_);
  for (const auto& [key, count] : events_) {
    out.Counter("esc_agent_volume_events_total", "What happened to volumes, by outcome.",
                {{"event", key.first}, {"outcome", key.second}}, static_cast<double>(count));
  }
  for (const auto& [key, count] : rpcs_) {
    out.Counter("esc_agent_csi_requests_total", "CSI calls answered, by gRPC code.",
                {{"method", key.first}, {"code", key.second}}, static_cast<double>(count));
  }
  for (const auto& [method, histogram] : rpc_seconds_) {
    ClientMetric metric;
    metric.label = {{"method", method}};
    metric.histogram.sample_count = histogram.total;
    metric.histogram.sample_sum = histogram.sum;
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < kBuckets.size(); ++i) {
      cumulative += histogram.counts[i];
      metric.histogram.bucket.push_back(
          {.cumulative_count = cumulative, .upper_bound = kBuckets[i]});
    }
    metric.histogram.bucket.push_back({.cumulative_count = histogram.total,
                                       .upper_bound = std::numeric_limits<double>::infinity()});
    out.Family("esc_agent_csi_request_seconds", "How long CSI calls took.", MetricType::Histogram)
        .metric.push_back(std::move(metric));
  }
  return out.Text();
}

}  // namespace escagent::status
