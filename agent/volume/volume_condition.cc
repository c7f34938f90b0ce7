#include "agent/volume/volume_condition.h"

#include "base/duration.h"

namespace escagent::volume {
namespace {

// "2026-11-24T14:05:09Z" of a monotonic time.
std::string TimeForMessage(Clock::TimePoint time, const Clock& clock) {
  const auto age =
      std::chrono::duration_cast<std::chrono::system_clock::duration>(clock.Now() - time);
  return FormatTime(clock.WallNow() - age);
}

std::string Describe(const std::string& what, const Failure& failure, const Clock& clock) {
  return what + " since " + TimeForMessage(failure.since, clock) + ": " + failure.error.ToString();
}

}  // namespace

Condition DescribeCondition(const Health& health, std::chrono::milliseconds max_stale,
                            const Clock& clock) {
  std::string message;
  const auto add = [&message](const std::string& finding) {
    if (!message.empty()) message += "; ";
    message += finding;
  };
  if (!health.served) {
    add("the mount is not served any more; it is repaired with the next publish, and pods without "
        "mountPropagation: HostToContainer must be restarted");
  }
  if (health.render) {
    add(Describe("the newest values cannot be shown, the last good ones are,", *health.render,
                 clock));
  }
  if (health.refused) {
    add(health.emptied ? "ESC refuses the identity, and the files are empty (onRevoke: empty)"
                       : "ESC refuses the identity; the last good values stay, new pods get none");
  }
  if (health.mirror) add(Describe("the Secret cannot be kept up", *health.mirror, clock));
  if (health.source) add(Describe("the store cannot be used", *health.source, clock));
  if (health.environment) {
    const cache::EnvironmentStatus& environment = *health.environment;
    const bool stale = environment.fresh_at && clock.Now() - *environment.fresh_at > max_stale;
    if (environment.last_error || stale) {
      std::string finding = stale ? "the values are older than " + FormatDuration(max_stale)
                                  : "the values cannot be refreshed";
      if (environment.fresh_at) {
        finding += "; last current at " + TimeForMessage(*environment.fresh_at, clock);
      }
      if (environment.last_error) finding += ": " + environment.last_error->ToString();
      add(finding);
    }
  }
  if (message.empty()) return {.abnormal = false, .message = "mounted"};
  return {.abnormal = true, .message = std::move(message)};
}

}  // namespace escagent::volume
