#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <tuple>
#include <vector>

#include "agent/controller/work_queue.h"
#include "agent/controller/workload.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "kube/api.h"
#include "kube/event_recorder.h"
#include "kube/object.h"

namespace escagent::controller {

// Restart on rotation: when the data of a mirrored Secret has changed, the workloads of its
// namespace that ask for it (workload.h) and take env from the Secret get an annotation of their
// pod template that stands for the new data, which makes Kubernetes roll them. A workload that
// bears it already is left alone, so nothing is rolled twice for one change, or for data that is
// the same.
//
// A change is marked on the Secret itself (kRestartPendingAnnotation) before it is written, and the
// mark taken off when all is done; whoever finds a mark after a crash calls Resume. Workloads that
// are merely there, without a change of the Secret, are never touched.
//
// Changes are gathered for a moment, so that Secrets that change together cause one roll; a
// workload is rolled at most once in min_interval, and one workload at a time in roll_interval.
//
// Thread-safe. Borrows what it is given, which must outlive it; those who call it must have stopped
// before it ends.
class WorkloadRestarter {
 public:
  struct Options {
    // Whether this agent may (still) write in the namespace; asked before each write.
    std::function<bool(const std::string& namespace_name)> may_write;
    std::chrono::milliseconds gather{1000};
    std::chrono::milliseconds min_interval{60000};
    std::chrono::milliseconds roll_interval{1000};
    // Of each list that BeforeChange waits for.
    std::chrono::milliseconds list_timeout{2000};
  };
  struct Stats {
    std::uint64_t rolls = 0;
    std::uint64_t failures = 0;
    std::size_t waiting = 0;  // Secrets whose consumers are not all restarted yet
  };

  WorkloadRestarter(Options options, kube::Api& api, kube::EventRecorder& events, Clock& clock);
  // Cancels the work under way. What it had to do is marked on the Secrets.
  ~WorkloadRestarter();
  WorkloadRestarter(const WorkloadRestarter&) = delete;
  WorkloadRestarter& operator=(const WorkloadRestarter&) = delete;

  // To be called before the changed data of an existing Secret is written: adds the mark to `body`,
  // the Secret with its new data hash, when a workload is to be restarted for it, or when that
  // cannot be found out now. Blocks for the API server's answers, at most three times list_timeout.
  void BeforeChange(const kube::ObjectKey& secret, kube::Object& body) EXCLUDES(mutex_);
  // After it was written. Does not block.
  void AfterChange(const kube::ObjectKey& secret) EXCLUDES(mutex_);
  // A Secret was found that bears the mark. Does not block.
  void Resume(const kube::ObjectKey& secret) EXCLUDES(mutex_);
  // Another agent looks after some namespaces now (may_write says which). Returns when nothing is
  // written there any more.
  void OnShardLost() EXCLUDES(mutex_);

  Stats GetStats() const EXCLUDES(mutex_);

 private:
  using TimePoint = Clock::TimePoint;
  // Kind, namespace, name.
  using WorkloadId = std::tuple<std::string, std::string, std::string>;
  // The Secrets by whose changes workloads of a namespace are restarted, as listed not long ago.
  // Nothing: it could not be found out.
  struct Consumed {
    std::optional<std::set<std::string, std::less<>>> secrets;
    TimePoint until{};
  };
  // A Secret whose consumers may have to be restarted.
  struct PendingSecret {
    bool marked = false;       // it may bear the mark
    std::uint64_t change = 0;  // which of its changes this is
  };
  using PendingSecrets = std::map<std::string, PendingSecret>;
  // What is to be done in one namespace.
  struct Pending {
    PendingSecrets secrets;
    // When this namespace's next roll may be; reserved.
    std::optional<TimePoint> slot;
    int failures = 0;
  };
  // A Secret as it is now.
  struct Changed {
    std::uint64_t change = 0;
    std::string value;  // RestartedForValue; empty: the Secret is not a mirrored one any more
    std::string resource_version;
    bool marked = false;
    bool outstanding = false;  // a consumer is left to restart
  };
  using ChangedSecrets = std::map<std::string, Changed>;
  // What is left to do: something at a time, or nothing; and what has failed, if anything.
  struct Progress {
    std::optional<TimePoint> again;
    std::optional<Error> error;
  };

  bool IsConsumed(const kube::ObjectKey& secret) EXCLUDES(mutex_);
  void Add(const kube::ObjectKey& secret, bool marked) EXCLUDES(mutex_);
  void Work(const std::string& namespace_name, const std::stop_token& stop) EXCLUDES(mutex_);
  // Restarts what may be restarted now.
  Progress Advance(const std::string& namespace_name, const PendingSecrets& secrets,
                   const std::vector<Workload>& workloads, const kube::CallOptions& call)
      EXCLUDES(mutex_);
  Result<std::vector<Workload>> ListWorkloads(const std::string& namespace_name,
                                              const kube::CallOptions& call);
  Result<ChangedSecrets> ReadSecrets(const std::string& namespace_name,
                                     const PendingSecrets& secrets,
                                     const std::vector<Workload>& workloads,
                                     const kube::CallOptions& call) EXCLUDES(mutex_);
  void RestartIfBehind(const Workload& workload, ChangedSecrets& secrets, Progress& progress,
                       const kube::CallOptions& call) EXCLUDES(mutex_);
  Status Restart(const Workload& workload, const std::map<std::string, std::string>& values,
                 const kube::CallOptions& call) EXCLUDES(mutex_);
  // When the workload may be rolled. Not after `now`: its namespace's slot is used up for it.
  TimePoint TakeTurn(const Workload& workload, TimePoint now) EXCLUDES(mutex_);
  // Takes the mark off.
  Status Finish(const kube::ObjectKey& secret, const Changed& changed,
                const kube::CallOptions& call);
  // The change is dealt with.
  void Forget(const kube::ObjectKey& secret, std::uint64_t change) EXCLUDES(mutex_);
  void Drop(const std::string& namespace_name) EXCLUDES(mutex_);
  void Retry(const std::string& namespace_name, const Error& error) EXCLUDES(mutex_);
  void NoteForbidden(const std::string& namespace_name, const Error& error) EXCLUDES(mutex_);

  const Options options_;
  kube::Api& api_;
  kube::EventRecorder& events_;
  Clock& clock_;
  std::stop_source stopping_;
  mutable Mutex mutex_;
  std::map<std::string, Consumed> consumed_ GUARDED_BY(mutex_);  // by namespace
  std::map<std::string, Pending> pending_ GUARDED_BY(mutex_);    // by namespace
  // Where BeforeChange has added the mark, and AfterChange has not been called.
  std::set<kube::ObjectKey> marked_ GUARDED_BY(mutex_);
  std::uint64_t last_change_ GUARDED_BY(mutex_) = 0;
  std::map<WorkloadId, TimePoint> rolled_ GUARDED_BY(mutex_);
  std::set<std::string> told_forbidden_ GUARDED_BY(mutex_);
  // The last slot that was given away.
  TimePoint last_slot_ GUARDED_BY(mutex_){};
  std::uint64_t rolls_ GUARDED_BY(mutex_) = 0;
  std::uint64_t failures_ GUARDED_BY(mutex_) = 0;
  // Last: its threads use all of the above. Keys are namespaces.
  WorkQueue queue_;
};

}  // namespace escagent::controller
