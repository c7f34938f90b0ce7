#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace escagent::fuse {

// What the readers saw.
class Verdict {
 public:
  void Fail(const std::string& what);
  void Done(std::chrono::steady_clock::duration took);
  // "" when there were none.
  std::string Failures();
  std::uint64_t Operations() const { return operations_; }
  std::int64_t WorstMilliseconds() const;

 private:
  Mutex mutex_;
  std::uint64_t failures_ GUARDED_BY(mutex_) = 0;
  std::string first_ GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> operations_{0};
  std::atomic<std::chrono::steady_clock::duration> worst_{
      std::chrono::steady_clock::duration::zero()};
};

// Readers of a volume that shows NumberedSpecs (takeover_protocol.h), until Stop; each checks every
// byte, and that no number is less than what was acknowledged before it looked.
class Readers {
 public:
  // `acknowledged` must outlive this.
  Readers(std::string mountpoint, const std::atomic<std::uint32_t>& acknowledged);
  ~Readers() { Stop(); }

  // False when one hangs; then the connection is aborted to set it free.
  bool Stop();
  Verdict& Seen() { return verdict_; }

 private:
  void Start(std::function<void()> body);
  // The number the bytes are of, 0 when they are of no single one.
  std::uint32_t NumberOf(const std::string& bytes, const std::string& what);
  void ReadOnce(const std::string& path);
  void HoldAndRead();
  void ListAndStat();

  const std::string mountpoint_;
  const std::atomic<std::uint32_t>& acknowledged_;
  Verdict verdict_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> running_{0};
  std::vector<std::jthread> threads_;
};

}  // namespace escagent::fuse
