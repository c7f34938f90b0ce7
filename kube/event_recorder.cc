#include "kube/event_recorder.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>

#include "base/duration.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/waker.h"
#include "kube/event_log.h"
#include "kube/message_text.h"

namespace escagent::kube {
namespace {

// What events.k8s.io/v1 allows in a note, and the name of an object.
constexpr std::size_t kMaxMessage = 1024;
constexpr std::size_t kMaxName = 253;
constexpr std::string_view kCut = "...";  // what PlainText adds to a text that it cuts
constexpr std::chrono::hours kLongestSleep{1};

// "<object>.<time in hex>", as client-go names Events.
std::string NameOf(const EventLog::Write& write, std::uint64_t serial) {
  char suffix[32];
  // With the serial number: unique within this process even when the clock stands still.
  const auto nanoseconds = std::chrono::nanoseconds(write.last.time_since_epoch()).count();
  const int size = std::snprintf(suffix, sizeof(suffix), ".%llx",
                                 static_cast<unsigned long long>(nanoseconds) + serial);
  std::string name =
      write.what.object.key.name.substr(0, kMaxName - static_cast<std::size_t>(size));
  // Each part between dots ends with a letter or digit.
  while (name.ends_with('-') || name.ends_with('.')) name.pop_back();
  return name + suffix;
}

ObjectKey KeyOf(const EventLog::Write& write, std::string name) {
  const std::string& space = write.what.object.key.namespace_name;
  return {space.empty() ? "default" : space, std::move(name)};
}

}  // namespace

class EventRecorder::Impl {
 public:
  Impl(Options options, Api& api, Clock& clock)
      : options_(std::move(options)), api_(api), clock_(clock) {
    thread_ = StartThread("kube-events", [this](const std::stop_token& stop) { Run(stop); });
  }

  void Record(const ObjectReference& object, std::string type, std::string reason,
              const std::string& message) EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      log_.Add({object, std::move(type), std::move(reason),
                PlainText(message, kMaxMessage - kCut.size())},
               clock_.Now(), clock_.WallNow());
    }
    waker_.WakeUp();
  }

 private:
  void Run(const std::stop_token& stop) EXCLUDES(mutex_) {
    while (!stop.stop_requested()) {
      std::optional<EventLog::Write> write;
      Clock::TimePoint next;
      {
        MutexLock lock(mutex_);
        const Clock::TimePoint now = clock_.Now();
        write = log_.Next(now);
        if (!write) next = log_.NextDue().value_or(now + kLongestSleep);
      }
      if (write) {
        WriteOne(*write, stop);
      } else {
        waker_.SleepUntil(clock_, next, stop);
      }
    }
  }

  void WriteOne(const EventLog::Write& write, const std::stop_token& stop) EXCLUDES(mutex_) {
    CallOptions options;
    options.priority = Priority::kBackground;
    options.stop = stop;
    Result<std::string> name = NotFound("");
    if (!write.name.empty()) name = Count(write, options);
    // The first time, or the server has dropped it: it keeps Events for an hour.
    if (!name && name.error().code == Code::kNotFound) name = Create(write, options);
    MutexLock lock(mutex_);
    if (name) {
      log_.Written(write, *std::move(name));
    } else if (IsRetryable(name.error().code)) {
      log_.Failed(write, clock_.Now());
    } else {
      LogDebug("cannot write event", {{log_key::kError, name.error()}});
    }
  }

  Result<std::string> Count(const EventLog::Write& write, const CallOptions& options) {
    nlohmann::json patch = {{"count", write.count}, {"lastTimestamp", FormatTime(write.last)}};
    const Result<Object> patched = api_.Patch(Events(), KeyOf(write, write.name), PatchType::kMerge,
                                              Object(std::move(patch)), "", options);
    if (!patched) return std::unexpected(patched.error());
    return write.name;
  }

  Result<std::string> Create(const EventLog::Write& write, const CallOptions& options) {
    const ObjectReference& object = write.what.object;
    const ObjectKey key = KeyOf(write, NameOf(write, ++created_));
    nlohmann::json event = {
        {"metadata", {{"name", key.name}, {"namespace", key.namespace_name}}},
        {"involvedObject",
         {{"apiVersion", object.resource.ApiVersion()},
          {"kind", object.resource.kind},
          {"name", object.key.name},
          {"uid", object.uid}}},
        {"type", write.what.type},
        {"reason", write.what.reason},
        {"message", write.what.message},
        {"count", write.count},
        {"firstTimestamp", FormatTime(write.first)},
        {"lastTimestamp", FormatTime(write.last)},
        {"source", {{"component", options_.component}, {"host", options_.instance}}},
        {"reportingComponent", options_.component},
        {"reportingInstance", options_.instance}};
    if (!object.key.namespace_name.empty()) {
      event["involvedObject"]["namespace"] = object.key.namespace_name;
    }
    const Result<Object> created = api_.Create(Events(), Object(std::move(event)), options);
    if (!created) return std::unexpected(created.error());
    return key.name;
  }

  const Options options_;
  std::uint64_t created_ = 0;  // the thread's
  Api& api_;
  Clock& clock_;
  Waker waker_;
  Mutex mutex_;
  EventLog log_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

EventRecorder::EventRecorder(Options options, Api& api, Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), api, clock)) {}

EventRecorder::~EventRecorder() = default;

void EventRecorder::Normal(const ObjectReference& object, std::string reason, std::string message) {
  impl_->Record(object, "Normal", std::move(reason), message);
}

void EventRecorder::Warning(const ObjectReference& object, std::string reason,
                            std::string message) {
  impl_->Record(object, "Warning", std::move(reason), message);
}

}  // namespace escagent::kube
