#include "agent/controller/pod_events.h"

#include <utility>

namespace escagent::controller {
namespace {

bool IsDenial(const Error& error) {
  return error.code == Code::kPermissionDenied || error.code == Code::kUnauthenticated;
}

}  // namespace

PodEvents::PodEvents(std::string node, kube::Api& api, Clock& clock)
    : recorder_({.component = "esc-agent", .instance = std::move(node)}, api, clock) {}

void PodEvents::Note(const volume::VolumeEvent& event) {
  using Kind = volume::VolumeEvent::Kind;
  const bool refused = event.kind == Kind::kRefuse;
  const bool denied = event.kind == Kind::kPublish && event.error && IsDenial(*event.error);
  if ((!refused && !denied) || event.pod.name.empty()) return;
  std::string message =
      refused ? "ESC refuses the identity of a mounted volume" : "a volume is not mounted";
  message += " (" + event.source.store;
  if (!event.source.environment.empty()) message += ", environment " + event.source.environment;
  message += ")";
  if (event.error) message += ": " + event.error->message;
  recorder_.Warning({.resource = {"", "v1", "pods", "Pod"},
                     .key = {event.pod.namespace_name, event.pod.name},
                     .uid = event.pod.uid},
                    kEventAccessDenied, std::move(message));
}

}  // namespace escagent::controller
