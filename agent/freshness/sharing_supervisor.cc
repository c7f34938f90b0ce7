#include "agent/freshness/sharing_supervisor.h"

#include <array>
#include <atomic>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "base/waker.h"
#include "kube/access_review.h"

namespace escagent::freshness {
namespace {

constexpr std::chrono::milliseconds kReviewTimeout{3000};
// While the API server does not answer.
constexpr std::chrono::milliseconds kAskAgain{5000};

struct Needed {
  const char* group;
  const char* resource;
  const char* verb;
};
// In the namespace of the leases: what ShardLeases and ProbeSharing do.
constexpr std::array<Needed, 10> kNeeded = {{
    {"coordination.k8s.io", "leases", "get"},
    {"coordination.k8s.io", "leases", "list"},
    {"coordination.k8s.io", "leases", "watch"},
    {"coordination.k8s.io", "leases", "create"},
    {"coordination.k8s.io", "leases", "update"},
    {"coordination.k8s.io", "leases", "patch"},
    {"", "configmaps", "list"},
    {"", "configmaps", "watch"},
    {"", "configmaps", "create"},
    {"", "configmaps", "patch"},
}};

}  // namespace

SharingSupervisor::SharingSupervisor(Options options, kube::Api& api, Factory factory, Clock& clock)
    : options_(std::move(options)), api_(api), factory_(std::move(factory)), clock_(clock) {
  thread_ = StartThread("sharing", [this](const std::stop_token& stop) { Run(stop); });
}

SharingSupervisor::~SharingSupervisor() {
  thread_.request_stop();
  thread_.join();
}

void SharingSupervisor::Run(const std::stop_token& stop) {
  bool told = false;
  while (!stop.stop_requested()) {
    const Status may = MayShare(stop);
    std::chrono::milliseconds pause = kAskAgain;
    if (may) {
      if (std::exchange(told, false)) LogInfo("agents look at ESC once for all of them now");
      Share(stop);
      pause = options_.pause;
    } else if (may.error().code == Code::kPermissionDenied) {
      if (!std::exchange(told, true)) {
        LogWarning("this agent looks at ESC by itself, not once for all agents",
                   {{log_key::kError, may.error()}});
      }
      pause = options_.rights_again;
    }
    clock_.SleepUntil(clock_.Now() + pause, stop);
  }
}

void SharingSupervisor::Share(const std::stop_token& stop) {
  Waker waker;
  std::atomic<bool> broken = false;
  std::unique_ptr<ProbeSharing> sharing = factory_([&] {
    broken = true;
    waker.WakeUp();
  });
  {
    MutexLock lock(mutex_);
    sharing_ = std::move(sharing);
  }
  while (!broken && !stop.stop_requested()) {
    waker.SleepUntil(clock_, clock_.Now() + std::chrono::hours(1), stop);
  }
  {
    MutexLock lock(mutex_);
    sharing = std::move(sharing_);
  }
  sharing.reset();
  if (stop.stop_requested()) return;
  LogWarning(
      "this agent looks at ESC by itself for a while, as what agents share cannot be written");
}

Status SharingSupervisor::MayShare(const std::stop_token& stop) {
  for (const Needed& needed : kNeeded) {
    const kube::AccessQuestion question{.verb = needed.verb,
                                        .group = needed.group,
                                        .resource = needed.resource,
                                        .namespace_name = options_.namespace_name};
    ESC_ASSIGN_OR_RETURN(const bool allowed, kube::MayI(api_, question,
                                                        {.priority = kube::Priority::kBackground,
                                                         .timeout = kReviewTimeout,
                                                         .stop = stop}));
    if (allowed) continue;
    return MakeError(Code::kPermissionDenied,
                     "share what is known of ESC: the agent's account may not " + question.verb +
                         " " + question.resource + " in namespace " + options_.namespace_name +
                         "; give it the rights that chart/ and manifests/rbac give, or set "
                         "--share-probes off");
  }
  return {};
}

std::optional<ProbeSharing::Stats> SharingSupervisor::GetStats() const {
  MutexLock lock(mutex_);
  if (sharing_ == nullptr) return std::nullopt;
  return sharing_->GetStats();
}

}  // namespace escagent::freshness
