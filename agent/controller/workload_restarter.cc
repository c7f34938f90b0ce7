#include "agent/controller/workload_restarter.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/controller/retry_delay.h"
#include "agent/mirror/restart_marks.h"
#include "agent/mirror/target_secret.h"
#include "base/json_fields.h"
#include "base/log.h"

namespace escagent::controller {
namespace {

// How long BeforeChange believes a listing. Who comes to consume a Secret meanwhile is found when
// the restart is due; only the mark may be missing.
constexpr std::chrono::milliseconds kBelieved{5000};
constexpr std::chrono::milliseconds kBelievedForbidden{60000};
constexpr std::chrono::milliseconds kLongestPause{60000};

const nlohmann::json& AnnotationsOf(const kube::Object& object) {
  return Member(Member(object.json(), "metadata"), "annotations");
}

std::string MessageFor(const std::map<std::string, std::string>& values) {
  std::string names;
  for (const auto& [secret, value] : values) names += (names.empty() ? "" : ", ") + secret;
  return (values.size() == 1 ? "restarted because Secret " : "restarted because Secrets ") + names +
         " changed";
}

}  // namespace

WorkloadRestarter::WorkloadRestarter(Options options, kube::Api& api, kube::EventRecorder& events,
                                     Clock& clock)
    : options_(std::move(options)),
      api_(api),
      events_(events),
      clock_(clock),
      // One: it is rate-limited anyway, and so no workload is looked at twice at a time.
      queue_({.thread_name = "restarter", .workers = 1}, clock,
             [this](const kube::ObjectKey& key, Lane, const std::stop_token& stop) {
               Work(key.namespace_name, stop);
             }) {}

WorkloadRestarter::~WorkloadRestarter() {
  stopping_.request_stop();
  queue_.Stop();
}

void WorkloadRestarter::BeforeChange(const kube::ObjectKey& secret, kube::Object& body) {
  if (!IsConsumed(secret)) return;
  const std::string hash = StringMember(AnnotationsOf(body), mirror::kDataHashAnnotation);
  body.json()["metadata"]["annotations"][mirror::kRestartPendingAnnotation] = hash;
  MutexLock lock(mutex_);
  marked_.insert(secret);
}

void WorkloadRestarter::AfterChange(const kube::ObjectKey& secret) {
  bool marked = false;
  {
    MutexLock lock(mutex_);
    marked = marked_.erase(secret) > 0;
  }
  Add(secret, marked);
}

void WorkloadRestarter::Resume(const kube::ObjectKey& secret) {
  if (options_.may_write(secret.namespace_name)) Add(secret, true);
}

void WorkloadRestarter::Add(const kube::ObjectKey& secret, bool marked) {
  {
    MutexLock lock(mutex_);
    PendingSecret& pending = pending_[secret.namespace_name].secrets[secret.name];
    pending.marked = pending.marked || marked;
    pending.change = ++last_change_;
  }
  queue_.AddAt({secret.namespace_name, ""}, clock_.Now() + options_.gather);
}

void WorkloadRestarter::OnShardLost() {
  std::set<std::string> namespaces;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, pending] : pending_) namespaces.insert(name);
  }
  std::erase_if(namespaces, [this](const std::string& name) { return options_.may_write(name); });
  queue_.WaitForWorkOn(
      [&](const kube::ObjectKey& key) { return namespaces.contains(key.namespace_name); });
  for (const std::string& name : namespaces) Drop(name);
}

WorkloadRestarter::Stats WorkloadRestarter::GetStats() const {
  MutexLock lock(mutex_);
  Stats stats{.rolls = rolls_, .failures = failures_, .waiting = 0};
  for (const auto& [name, pending] : pending_) stats.waiting += pending.secrets.size();
  return stats;
}

bool WorkloadRestarter::IsConsumed(const kube::ObjectKey& secret) {
  const Clock::TimePoint now = clock_.Now();
  {
    MutexLock lock(mutex_);
    const auto known = consumed_.find(secret.namespace_name);
    if (known != consumed_.end() && known->second.until > now) {
      return !known->second.secrets || known->second.secrets->contains(secret.name);
    }
  }
  const Result<std::vector<Workload>> workloads = ListWorkloads(
      secret.namespace_name,
      {.field_manager = {}, .timeout = options_.list_timeout, .stop = stopping_.get_token()});
  Consumed consumed{.secrets = std::nullopt, .until = now + kBelieved};
  if (workloads) {
    consumed.secrets.emplace();
    for (const Workload& workload : *workloads) {
      consumed.secrets->insert(workload.secrets.begin(), workload.secrets.end());
    }
  } else if (workloads.error().code == Code::kPermissionDenied) {
    NoteForbidden(secret.namespace_name, workloads.error());
    consumed.secrets.emplace();
    consumed.until = now + kBelievedForbidden;
  }
  const bool result = !consumed.secrets || consumed.secrets->contains(secret.name);
  MutexLock lock(mutex_);
  std::erase_if(consumed_, [now](const auto& entry) { return entry.second.until <= now; });
  consumed_.insert_or_assign(secret.namespace_name, std::move(consumed));
  return result;
}

Result<std::vector<Workload>> WorkloadRestarter::ListWorkloads(const std::string& namespace_name,
                                                               const kube::CallOptions& call) {
  std::vector<Workload> workloads;
  for (const kube::Resource& resource : WorkloadKinds()) {
    kube::ListOptions list;
    list.namespace_name = namespace_name;
    do {
      ESC_ASSIGN_OR_RETURN(const kube::ListPage page, api_.List(resource, list, call));
      for (const kube::Object& object : page.items) {
        if (auto workload = ReadWorkload(resource, object)) {
          workloads.push_back(*std::move(workload));
        }
      }
      list.continue_token = page.continue_token;
    } while (!list.continue_token.empty());
  }
  return workloads;
}

void WorkloadRestarter::Work(const std::string& namespace_name, const std::stop_token& stop) {
  if (!options_.may_write(namespace_name)) return Drop(namespace_name);
  PendingSecrets secrets;
  {
    MutexLock lock(mutex_);
    const auto pending = pending_.find(namespace_name);
    if (pending == pending_.end()) return;
    secrets = pending->second.secrets;
  }
  const kube::CallOptions call{.field_manager = {}, .stop = stop};
  const Result<std::vector<Workload>> workloads = ListWorkloads(namespace_name, call);
  if (!workloads && workloads.error().code == Code::kPermissionDenied) {
    NoteForbidden(namespace_name, workloads.error());
    // The marks stay, and count when an agent starts with the rights.
    return Drop(namespace_name);
  }
  const Progress progress = workloads ? Advance(namespace_name, secrets, *workloads, call)
                                      : Progress{.again = std::nullopt, .error = workloads.error()};
  if (stop.stop_requested()) return;
  if (progress.again) queue_.AddAt({namespace_name, ""}, *progress.again);
  if (progress.error) return Retry(namespace_name, *progress.error);
  MutexLock lock(mutex_);
  const auto pending = pending_.find(namespace_name);
  if (pending == pending_.end()) return;
  pending->second.failures = 0;
  if (pending->second.secrets.empty()) pending_.erase(pending);
}

WorkloadRestarter::Progress WorkloadRestarter::Advance(const std::string& namespace_name,
                                                       const PendingSecrets& secrets,
                                                       const std::vector<Workload>& workloads,
                                                       const kube::CallOptions& call) {
  Progress progress;
  Result<ChangedSecrets> changed = ReadSecrets(namespace_name, secrets, workloads, call);
  if (!changed) {
    progress.error = changed.error();
    return progress;
  }
  for (const Workload& workload : workloads) RestartIfBehind(workload, *changed, progress, call);
  for (const auto& [name, secret] : *changed) {
    if (secret.outstanding) continue;
    if (const Status finished = Finish({namespace_name, name}, secret, call); !finished) {
      progress.error = finished.error();
    } else {
      Forget({namespace_name, name}, secret.change);
    }
  }
  return progress;
}

Result<WorkloadRestarter::ChangedSecrets> WorkloadRestarter::ReadSecrets(
    const std::string& namespace_name, const PendingSecrets& secrets,
    const std::vector<Workload>& workloads, const kube::CallOptions& call) {
  ChangedSecrets changed;
  for (const auto& [name, pending] : secrets) {
    const kube::ObjectKey key{namespace_name, name};
    const bool consumed = std::ranges::any_of(
        workloads, [&](const Workload& workload) { return workload.secrets.contains(name); });
    if (!consumed && !pending.marked) {
      Forget(key, pending.change);
      continue;
    }
    const Result<kube::Object> secret = api_.GetMetadata(kube::Secrets(), key, call);
    if (!secret) {
      if (secret.error().code != Code::kNotFound) return std::unexpected(secret.error());
      Forget(key, pending.change);
      continue;
    }
    const nlohmann::json& annotations = AnnotationsOf(*secret);
    const std::string hash = StringMember(annotations, mirror::kDataHashAnnotation);
    changed[name] = {
        .change = pending.change,
        .value = hash.empty() ? "" : RestartedForValue(secret->Uid(), hash),
        .resource_version = secret->ResourceVersion(),
        .marked = !StringMember(annotations, mirror::kRestartPendingAnnotation).empty()};
  }
  return changed;
}

void WorkloadRestarter::RestartIfBehind(const Workload& workload, ChangedSecrets& secrets,
                                        Progress& progress, const kube::CallOptions& call) {
  std::map<std::string, std::string> behind;
  for (const auto& [name, secret] : secrets) {
    if (workload.secrets.contains(name) && !secret.value.empty() &&
        workload.IsBehind(name, secret.value)) {
      behind[name] = secret.value;
    }
  }
  if (behind.empty()) return;
  const TimePoint now = clock_.Now();
  if (const TimePoint turn = TakeTurn(workload, now); turn > now) {
    progress.again = std::min(turn, progress.again.value_or(turn));
  } else {
    const Status restarted = Restart(workload, behind, call);
    if (restarted) return;
    progress.error = restarted.error();
  }
  for (const auto& [name, value] : behind) secrets[name].outstanding = true;
}

Status WorkloadRestarter::Restart(const Workload& workload,
                                  const std::map<std::string, std::string>& values,
                                  const kube::CallOptions& call) {
  if (!options_.may_write(workload.key.namespace_name)) {
    return MakeError(Code::kAborted,
                     "another agent looks after namespace " + workload.key.namespace_name + " now");
  }
  const kube::ObjectReference about{
      .resource = workload.resource, .key = workload.key, .uid = workload.uid};
  const Result<kube::Object> patched =
      api_.Patch(workload.resource, workload.key, kube::PatchType::kMerge,
                 RestartPatch(workload, values), "", call);
  if (!patched) {
    const Code code = patched.error().code;
    // Gone, so there is nothing left to restart.
    if (code == Code::kNotFound) return {};
    if (code != Code::kAborted && code != Code::kCancelled) {
      events_.Warning(about, "RestartFailed",
                      "could not restart after a change of a Secret: " + patched.error().message);
    }
    return std::unexpected(patched.error());
  }
  events_.Normal(about, "Restarted", MessageFor(values));
  const TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  ++rolls_;
  std::erase_if(rolled_,
                [&](const auto& roll) { return roll.second + options_.min_interval <= now; });
  rolled_[{workload.resource.kind, workload.key.namespace_name, workload.key.name}] = now;
  return {};
}

Clock::TimePoint WorkloadRestarter::TakeTurn(const Workload& workload, TimePoint now) {
  MutexLock lock(mutex_);
  const auto last =
      rolled_.find({workload.resource.kind, workload.key.namespace_name, workload.key.name});
  if (last != rolled_.end() && last->second + options_.min_interval > now) {
    return last->second + options_.min_interval;
  }
  std::optional<TimePoint>& slot = pending_[workload.key.namespace_name].slot;
  if (!slot) {
    slot = std::max(now, last_slot_ + options_.roll_interval);
    last_slot_ = *slot;
  }
  if (*slot > now) return *slot;
  slot.reset();
  return now;
}

Status WorkloadRestarter::Finish(const kube::ObjectKey& secret, const Changed& changed,
                                 const kube::CallOptions& call) {
  if (!changed.marked) return {};
  if (!options_.may_write(secret.namespace_name)) {
    return MakeError(Code::kAborted,
                     "another agent looks after namespace " + secret.namespace_name + " now");
  }
  // If the Secret has changed again the mark is that of the new change.
  const kube::Object patch(
      nlohmann::json{{"metadata",
                      {{"resourceVersion", changed.resource_version},
                       {"annotations", {{mirror::kRestartPendingAnnotation, nullptr}}}}}});
  const Result<kube::Object> patched =
      api_.Patch(kube::Secrets(), secret, kube::PatchType::kMerge, patch, "", call);
  if (patched || patched.error().code == Code::kNotFound) return {};
  return std::unexpected(patched.error());
}

void WorkloadRestarter::Forget(const kube::ObjectKey& secret, std::uint64_t change) {
  MutexLock lock(mutex_);
  const auto pending = pending_.find(secret.namespace_name);
  if (pending == pending_.end()) return;
  PendingSecrets& secrets = pending->second.secrets;
  const auto it = secrets.find(secret.name);
  if (it != secrets.end() && it->second.change == change) secrets.erase(it);
}

void WorkloadRestarter::Drop(const std::string& namespace_name) {
  queue_.Forget({namespace_name, ""});
  MutexLock lock(mutex_);
  pending_.erase(namespace_name);
}

void WorkloadRestarter::Retry(const std::string& namespace_name, const Error& error) {
  std::chrono::milliseconds delay = options_.gather;
  // ABORTED: something changed in between, and is read anew.
  if (error.code != Code::kAborted) {
    LogWarning("cannot restart workloads whose Secrets changed",
               {{log_key::kNamespace, namespace_name}, {log_key::kError, error}});
    MutexLock lock(mutex_);
    ++failures_;
    const int failures = ++pending_[namespace_name].failures;
    delay = RetryDelay(failures, kLongestPause);
    delay = std::max(delay, error.retry_after);
  }
  queue_.AddAt({namespace_name, ""}, clock_.Now() + delay);
}

void WorkloadRestarter::NoteForbidden(const std::string& namespace_name, const Error& error) {
  {
    MutexLock lock(mutex_);
    if (!told_forbidden_.insert(namespace_name).second) return;
  }
  LogWarning(
      "workloads are not restarted when their Secrets change: the agent's account may not "
      "list and patch workloads (manifests/rbac)",
      {{log_key::kNamespace, namespace_name}, {log_key::kError, error}});
}

}  // namespace escagent::controller
