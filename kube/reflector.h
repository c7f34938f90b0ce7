#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <thread>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/http_streams.h"
#include "base/mutex.h"
#include "kube/api.h"
#include "kube/connection.h"
#include "kube/informer.h"
#include "kube/known_objects.h"
#include "kube/task_pool.h"
#include "kube/watch_stream.h"

namespace escagent::kube {

// One informer: keeps a handler told of the objects of one selection.
//
// It is a cycle of steps that never run at once: Connect (list if need be, open a watch) on one
// pool, then Drain (tell what the watch has brought) on the other, again and again until the watch
// ends, then Connect, perhaps after a delay. A step hands the state over by starting the next, so
// only what Close and the handler's calls need is under the mutex. Kept alive by its handle and by
// its steps. Close is thread-safe.
class Reflector final : public std::enable_shared_from_this<Reflector> {
 public:
  // What it uses; outlives it.
  struct Environment {
    Api& api;
    Connection& connection;
    HttpStreams& streams;
    Clock& clock;
    TaskPool& network;   // for what may take long
    TaskPool& handlers;  // for calls to handlers
    std::chrono::seconds min_watch{300};
    std::chrono::milliseconds idle_watch{0};
    std::chrono::milliseconds settle{0};
  };

  Reflector(Environment environment, Selection selection, std::shared_ptr<InformerHandler> handler,
            std::uint64_t seed);
  ~Reflector();
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  // Once, before all else.
  void Start();
  // No call to the handler is running (but one that makes this call), nor will there be one.
  void Close() EXCLUDES(mutex_);

 private:
  // Steps, and how they are started.
  void StartConnect(std::chrono::milliseconds delay);
  void StartDrain() EXCLUDES(mutex_);
  void Connect();
  void Drain(const std::shared_ptr<WatchStream>& watch);

  Status List();
  Status OpenWatch();
  std::string WatchQuery();

  // Parts of Drain. EndWatch and Retry start the next step, so nothing comes after them.
  Status Apply(const Secret& line);
  void FinishInitialEvents();
  void Settle(const std::shared_ptr<WatchStream>& watch);
  void EndWatch(const WatchStream::End& end);
  void Retry(const Error& error);

  void Tell(Object object);
  void TellSynced();
  void TellHealth(const Status& status);
  // Calls the handler unless closed. False: closed, by then or in the call.
  template <class Call>
  bool CallHandler(Call call) EXCLUDES(mutex_);
  bool IsClosed() EXCLUDES(mutex_);

  const Environment environment_;
  const Selection selection_;
  const std::string what_;  // "secrets in namespace podinfo"
  std::stop_source stop_;

  // The step's that runs.
  KnownObjects known_;
  Backoff backoff_;
  std::minstd_rand random_;
  std::string version_;  // to watch from; empty: from what is there (list, or initial events)
  bool synced_ = false;
  std::optional<Code> failing_;
  std::shared_ptr<const Secret> token_;  // of the watch
  // Of a watch that began with what is there: such events are still coming.
  bool initial_events_ = false;
  bool plain_ = false;  // the server knows no sendInitialEvents
  bool opened_ = false;
  bool progress_ = false;  // the watch has brought something
  Clock::TimePoint opened_at_{};
  Clock::TimePoint last_event_{};

  Mutex mutex_;
  CondVar call_ended_;
  std::shared_ptr<InformerHandler> handler_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  bool calling_ GUARDED_BY(mutex_) = false;
  std::thread::id caller_ GUARDED_BY(mutex_);
  std::shared_ptr<WatchStream> watch_ GUARDED_BY(mutex_);
};

}  // namespace escagent::kube
