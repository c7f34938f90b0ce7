#include "agent/volume/operation_gate.h"

#include <utility>

namespace escagent::volume {

OperationGate::Pass::Pass(OperationGate& gate, std::string volume_id)
    : gate_(&gate), volume_id_(std::move(volume_id)) {}

OperationGate::Pass::Pass(Pass&& other) noexcept
    : gate_(std::exchange(other.gate_, nullptr)), volume_id_(std::move(other.volume_id_)) {}

OperationGate::Pass::~Pass() {
  if (gate_ != nullptr) gate_->Leave(volume_id_);
}

Result<OperationGate::Pass> OperationGate::Enter(const std::string& volume_id,
                                                 std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  MutexLock lock(mutex_);
  while (busy_.contains(volume_id)) {
    if (!left_.WaitUntil(mutex_, deadline) && busy_.contains(volume_id)) {
      return MakeError(Code::kAborted, "volume " + volume_id +
                                           ": another operation on it is under way; kubelet "
                                           "tries again by itself");
    }
  }
  busy_.insert(volume_id);
  return Pass(*this, volume_id);
}

void OperationGate::Leave(const std::string& volume_id) {
  MutexLock lock(mutex_);
  busy_.erase(volume_id);
  left_.NotifyAll();
}

}  // namespace escagent::volume
