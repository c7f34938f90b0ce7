#pragma once

#include <string>

#include "agent/volume/volume_status.h"
#include "base/clock.h"
#include "kube/api.h"
#include "kube/event_recorder.h"

namespace escagent::controller {

// Its reason, of the type Warning.
inline constexpr char kEventAccessDenied[] = "AccessDenied";

// Tells pods, with events that `kubectl describe pod` shows, that they may not have the values of a
// volume: ESC refuses the identity, now or from the first, or the store does not admit the pod's
// namespace. Never blocks; thread-safe; borrows the API and the clock.
class PodEvents {
 public:
  // `node`: who tells it.
  PodEvents(std::string node, kube::Api& api, Clock& clock);

  // Events of other kinds and failures are ignored.
  void Note(const volume::VolumeEvent& event);

 private:
  kube::EventRecorder recorder_;
};

}  // namespace escagent::controller
