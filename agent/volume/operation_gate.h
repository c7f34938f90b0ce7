#pragma once

#include <chrono>
#include <set>
#include <string>

#include "base/mutex.h"
#include "base/result.h"

namespace escagent::volume {

// Lets one operation at a time work on a volume; operations on different volumes do not meet.
// Thread-safe.
class OperationGate {
 public:
  // The right to work on one volume; its end lets the next one in. Move-only.
  class Pass {
   public:
    Pass(Pass&& other) noexcept;
    Pass& operator=(Pass&& other) = delete;
    ~Pass();

   private:
    friend class OperationGate;
    Pass(OperationGate& gate, std::string volume_id);

    OperationGate* gate_;
    std::string volume_id_;
  };

  OperationGate() = default;
  OperationGate(const OperationGate&) = delete;
  OperationGate& operator=(const OperationGate&) = delete;

  // Waits at most `patience` (in real time: it is another thread that is waited for) and then is
  // ABORTED, as CSI has it for an operation on a volume that another one is pending for.
  Result<Pass> Enter(const std::string& volume_id, std::chrono::milliseconds patience)
      EXCLUDES(mutex_);

 private:
  void Leave(const std::string& volume_id) EXCLUDES(mutex_);

  Mutex mutex_;
  CondVar left_;
  std::set<std::string> busy_ GUARDED_BY(mutex_);
};

}  // namespace escagent::volume
