#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"
#include "tests/fakes/apiserver/handlers.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;
using TimePoint = std::chrono::steady_clock::time_point;

constexpr std::chrono::minutes kDefaultTimeout{30};
// How often a watch without events looks whether its client is still there.
constexpr std::chrono::seconds kLook{1};

// What a watch's query says.
struct WatchOptions {
  std::optional<std::uint64_t> from;
  bool send_initial = false;
  bool mark_initial = false;  // with a bookmark behind the initial events
  bool bookmarks = false;
  TimePoint deadline;
};

ApiError BadOptions(const char* field, std::string reason, std::string message) {
  return Invalid({.group = "meta.k8s.io", .resource = "", .kind = "ListOptions", .name = ""},
                 {{.reason = std::move(reason), .message = std::move(message), .field = field}});
}

Done CheckMatch(const httplib::Request& request, const std::string& initial) {
  const std::string match = Parameter(request, "resourceVersionMatch");
  if (initial.empty() && !match.empty()) {
    return Fail(BadOptions("resourceVersionMatch", "FieldValueForbidden",
                           "Forbidden: resourceVersionMatch is forbidden for watch unless "
                           "sendInitialEvents is provided"));
  }
  if (!initial.empty() && match != "NotOlderThan") {
    return Fail(BadOptions("resourceVersionMatch", "FieldValueForbidden",
                           "Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
                           "NotOlderThan"));
  }
  return {};
}

Outcome<WatchOptions> ReadOptions(const httplib::Request& request) {
  WatchOptions options;
  const std::string initial = Parameter(request, "sendInitialEvents");
  API_RETURN_IF_ERROR(CheckMatch(request, initial));
  options.bookmarks = FlagParameter(request, "allowWatchBookmarks");
  const std::string revision = Parameter(request, "resourceVersion");
  if (!revision.empty() && revision != "0") {
    std::uint64_t from = 0;
    const auto [end, error] =
        std::from_chars(revision.data(), revision.data() + revision.size(), from);
    if (error != std::errc() || end != revision.data() + revision.size()) {
      return Fail(BadRevision(revision));
    }
    options.from = from;
  }
  if (initial.empty()) {
    options.send_initial = !options.from;
  } else {
    options.send_initial = FlagParameter(request, "sendInitialEvents");
    options.mark_initial = options.send_initial && options.bookmarks;
    if (options.send_initial) options.from.reset();
  }
  std::chrono::seconds timeout = kDefaultTimeout;
  if (const std::string text = Parameter(request, "timeoutSeconds"); !text.empty()) {
    long seconds = 0;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (seconds > 0) timeout = std::chrono::seconds(seconds);
  }
  options.deadline = std::chrono::steady_clock::now() + timeout;
  return options;
}

// One open watch: writes its events into the response, on the connection's thread.
class WatchStream {
 public:
  WatchStream(const Context& context, const WatchOptions& options,
              std::unique_ptr<Store::Watch> watch, const Store::Snapshot& initial)
      : resource_(context.resource),
        form_(context.form),
        fault_(context.fault),
        connection_(context.connection),
        options_(options),
        bookmark_interval_(context.backend.bookmark_interval),
        next_bookmark_(std::chrono::steady_clock::now() + bookmark_interval_),
        watch_(std::move(watch)) {
    for (const ObjectPtr& object : initial.objects) {
      AppendEvent({.type = WatchEvent::Type::kAdded, .object = object});
    }
    if (options_.mark_initial) AppendBookmark(initial.revision, /*initial_end=*/true);
    if (watch_ == nullptr) AppendExpired();
  }

  // Sends what there is, waiting a while for it. False: the connection ends here.
  bool Send(httplib::DataSink& sink) {
    if (fault_.cut) return Cut();
    if (fault_.garbage) pending_ += "{\"type\":\"ADDED\",\"object\":{\x01\xff\n";
    if (fault_.gone) AppendExpired();
    fault_ = {};
    if (pending_.empty() && !finished_) Gather();
    if (broken_) return Cut();
    if (!pending_.empty() && !sink.write(pending_.data(), pending_.size())) return false;
    pending_.clear();
    if (finished_) sink.done();
    return true;
  }

 private:
  bool Cut() {
    connection_.Abort();
    return false;
  }

  // Waits for events, the next bookmark, the deadline, or a moment to look for the client.
  void Gather() {
    const TimePoint now = std::chrono::steady_clock::now();
    TimePoint until = std::min(options_.deadline, now + kLook);
    if (options_.bookmarks) until = std::min(until, next_bookmark_);
    std::uint64_t revision = 0;
    const Store::End end = watch_->end();
    for (const WatchEvent& event : watch_->Next(until, revision)) AppendEvent(event);
    const TimePoint after = std::chrono::steady_clock::now();
    const bool over = after >= options_.deadline;
    if (options_.bookmarks && (after >= next_bookmark_ || over)) {
      AppendBookmark(revision, /*initial_end=*/false);
      next_bookmark_ = after + bookmark_interval_;
    }
    if (end == Store::End::kExpired) AppendExpired();
    finished_ |= over;
    broken_ = end == Store::End::kCut || connection_.IsClosed();
  }

  void AppendEvent(const WatchEvent& event) {
    constexpr const char* kTypes[] = {"ADDED", "MODIFIED", "DELETED"};
    pending_ += "{\"type\":\"";
    pending_ += kTypes[static_cast<std::size_t>(event.type)];
    pending_ += "\",\"object\":";
    if (form_ == Form::kPartialMetadata) {
      event.object->AppendPartial(pending_);
    } else {
      event.object->Append(resource_->ApiVersion(), pending_);
    }
    pending_ += "}\n";
  }

  void AppendBookmark(std::uint64_t revision, bool initial_end) {
    const bool partial = form_ == Form::kPartialMetadata;
    json object = {
        {"kind", partial ? "PartialObjectMetadata" : resource_->kind},
        {"apiVersion", partial ? "meta.k8s.io/v1" : resource_->ApiVersion()},
        {"metadata",
         {{"resourceVersion", std::to_string(revision)}, {"creationTimestamp", nullptr}}}};
    if (initial_end) {
      object["metadata"]["annotations"] = {{"k8s.io/initial-events-end", "true"}};
    }
    pending_ += DumpJson({{"type", "BOOKMARK"}, {"object", std::move(object)}}) + "\n";
  }

  void AppendExpired() {
    const ApiError error =
        Expired("too old resource version: " + std::to_string(options_.from.value_or(0)));
    pending_ += DumpJson({{"type", "ERROR"}, {"object", error.ToJson()}}) + "\n";
    finished_ = true;
  }

  const ResourcePtr resource_;
  const Form form_;
  Fault fault_;
  Connection& connection_;
  const WatchOptions options_;
  const std::chrono::milliseconds bookmark_interval_;
  TimePoint next_bookmark_;
  std::unique_ptr<Store::Watch> watch_;  // null: too old
  std::string pending_;
  bool finished_ = false;
  bool broken_ = false;
};

}  // namespace

Done HandleWatch(Context& context) {
  API_ASSIGN_OR_RETURN(const Selector selector,
                       Selector::Parse(*context.resource, context.info.name_space,
                                       Parameter(context.http, "labelSelector"),
                                       Parameter(context.http, "fieldSelector")));
  API_ASSIGN_OR_RETURN(WatchOptions options, ReadOptions(context.http));
  Store& store = context.backend.store;
  std::optional<std::uint64_t> from = options.from;
  // From now on, without what there is.
  if (!from && !options.send_initial) from = store.Revision();
  Store::Snapshot initial;
  auto watch = store.StartWatch(context.resource->Table(), selector, from, &initial);
  auto stream = std::make_shared<WatchStream>(context, options, std::move(watch), initial);
  context.response.status = 200;
  context.response.set_chunked_content_provider(
      "application/json",
      [stream](std::size_t, httplib::DataSink& sink) { return stream->Send(sink); });
  return {};
}

}  // namespace escagent::apiserver
