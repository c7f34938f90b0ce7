#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "kube/api.h"

namespace escagent::kube {

// What an event is about.
struct ObjectReference {
  Resource resource;
  ObjectKey key;
  std::string uid;
};

// Writes core/v1 Events, best effort, on one thread at background priority. Equal events (object,
// type, reason, message) within 10 minutes are one Event whose count grows, written at most once a
// minute; each object may cause 25 at once and then one in 5 minutes (client-go's spam filter);
// at most 1,000 wait, the oldest go first. Thread-safe; never blocks.
class EventRecorder {
 public:
  struct Options {
    std::string component = "esc-agent";  // source.component and reportingComponent
    std::string instance;                 // the node
  };

  EventRecorder(Options options, Api& api, Clock& clock);
  // Drops what waits.
  ~EventRecorder();
  EventRecorder(const EventRecorder&) = delete;
  EventRecorder& operator=(const EventRecorder&) = delete;

  // reason: UpperCamelCase; message: for people, never a value.
  void Normal(const ObjectReference& object, std::string reason, std::string message);
  void Warning(const ObjectReference& object, std::string reason, std::string message);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::kube
