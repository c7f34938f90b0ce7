#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace escagent::testing {

// What the readers of one kind have seen.
struct ReaderReport {
  const char* kind = "";
  long operations = 0;
  std::chrono::milliseconds worst_stall{0};
};

// Stands in for pods that use a volume with the values of storm_value.h all the time: 9 threads
// that read and look in every way there is, and one that watches the folder. Each operation must
// succeed; each value must be whole, of one generation where it is read through one folder, and
// never older than a value that anybody has read through the same path, or the watcher has seen
// come, before the operation began.
//
// The threads have file tables of their own, as pods have: a process that is started meanwhile
// inherits no open file of the volume.
class PodReaders {
 public:
  // `target`: the volume. `folder` is made; there the volume's file alpha is mounted, as kubelet
  // does for a subPath, once for good and again and again. Throws std::runtime_error if it cannot.
  // Not with `sub_paths` false, for `cache: full`: without opens to go by, such a file follows a
  // rotation in place, while it is read.
  PodReaders(std::string target, std::string folder, bool sub_paths);
  // Stop must have succeeded, or the volume's connection must have been aborted.
  ~PodReaders();
  PodReaders(const PodReaders&) = delete;
  PodReaders& operator=(const PodReaders&) = delete;

  // Whether all readers have ended in time. Those that have not hang in the volume.
  bool Stop(std::chrono::milliseconds timeout);

  // The newest counter that was there when an event told the watcher that ..data was replaced.
  int WatchedCount() const { return watched_; }
  // MOVED_TO events of ..data.
  int WatchedSwaps() const { return swaps_; }
  // The counter of the last read through `sub_path`, or of one that was bound later, if it is
  // lower.
  int SubPathCount() const { return std::min(sub_path_count_.load(), bound_anew_count_.load()); }
  // The longest that one operation took since the last call.
  std::chrono::milliseconds TakeWorstStall();

  std::vector<ReaderReport> Reports() const;
  long Operations() const;
  long FailureCount() const { return failures_; }
  // The first few failures, one a line; empty when there is none.
  std::string Failures() const EXCLUDES(mutex_);

 private:
  enum Kind { kOpen, kPair, kHeld, kStat, kList, kSubPath, kBoundAnew, kWatcher, kKindCount };
  class Reader;
  struct Numbers {
    std::atomic<long> operations{0};
    std::atomic<long> worst_ns{0};
  };

  void Start(const char* name, void (Reader::*body)());
  void Count(Kind kind, std::chrono::steady_clock::duration took);
  void Fail(Kind kind, const std::string& text) EXCLUDES(mutex_);

  const std::string target_;
  const std::string folder_;
  std::array<Numbers, kKindCount> numbers_;
  std::atomic<long> worst_since_ns_{0};
  std::atomic<long> failures_{0};
  std::atomic<int> newest_{0};  // the newest counter read through the volume's root
  std::atomic<int> watched_{0};
  std::atomic<int> swaps_{0};
  std::atomic<int> sub_path_count_{0};
  std::atomic<int> bound_anew_count_{0};
  std::atomic<int> running_{0};
  std::atomic<bool> watching_{false};
  mutable Mutex mutex_;
  std::vector<std::string> examples_ GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

}  // namespace escagent::testing
