#include "kube/reflector.h"

#include <utility>

#include "base/strings.h"

namespace escagent::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kPageSize = 500;
constexpr std::size_t kBatch = 64;
// From the request to the headers, which a server sends before the first event.
constexpr seconds kOpenTimeout{30};
// A watch that lived for so long was a good one, even if nothing happened.
constexpr seconds kLongEnough{5};
constexpr Backoff::Options kBackoff = {
    .initial = milliseconds(500), .max = seconds(30), .factor = 2, .jitter = 0.25};
constexpr std::string_view kMetadata =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

std::string Describe(const Selection& selection) {
  std::string what = selection.resource.plural;
  if (!selection.resource.group.empty()) what += "." + selection.resource.group;
  if (!selection.namespace_name.empty()) what += " in namespace " + selection.namespace_name;
  return what;
}

}  // namespace

Reflector::Reflector(Environment environment, Selection selection,
                     std::shared_ptr<InformerHandler> handler, std::uint64_t seed)
    : environment_(environment),
      selection_(std::move(selection)),
      what_(Describe(selection_)),
      backoff_(kBackoff, seed),
      random_(static_cast<std::minstd_rand::result_type>(seed)),
      handler_(std::move(handler)) {}

Reflector::~Reflector() = default;

void Reflector::Start() { StartConnect(milliseconds(0)); }

void Reflector::Close() {
  stop_.request_stop();
  std::shared_ptr<WatchStream> watch;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    watch = std::move(watch_);
  }
  if (watch != nullptr) watch->Close();
  std::shared_ptr<InformerHandler> handler;  // destroyed without the lock
  MutexLock lock(mutex_);
  while (calling_ && caller_ != std::this_thread::get_id()) call_ended_.Wait(mutex_);
  handler.swap(handler_);
}

bool Reflector::IsClosed() {
  MutexLock lock(mutex_);
  return closed_;
}

template <class Call>
bool Reflector::CallHandler(Call call) {
  std::shared_ptr<InformerHandler> handler;
  {
    MutexLock lock(mutex_);
    if (closed_) return false;
    handler = handler_;
    calling_ = true;
    caller_ = std::this_thread::get_id();
  }
  call(*handler);
  handler.reset();
  MutexLock lock(mutex_);
  calling_ = false;
  call_ended_.NotifyAll();
  return !closed_;
}

void Reflector::StartConnect(milliseconds delay) {
  auto step = [self = shared_from_this()] { self->Connect(); };
  if (delay <= milliseconds(0)) {
    environment_.network.Submit(std::move(step));
  } else {
    environment_.network.SubmitAt(environment_.clock.Now() + delay, std::move(step));
  }
}

void Reflector::StartDrain() {
  std::shared_ptr<WatchStream> watch;
  {
    MutexLock lock(mutex_);
    if (closed_) return;
    watch = watch_;
  }
  environment_.handlers.Submit([self = shared_from_this(), watch] { self->Drain(watch); });
}

void Reflector::Connect() {
  if (IsClosed()) return;
  if (version_.empty() && !selection_.watch_only) {
    if (const Status listed = List(); !listed) {
      Retry(listed.error());
      return;
    }
  }
  if (const Status opened = OpenWatch(); !opened) Retry(opened.error());
}

Status Reflector::List() {
  ListOptions list;
  list.namespace_name = selection_.namespace_name;
  list.label_selector = selection_.label_selector;
  list.field_selector = selection_.field_selector;
  list.limit = kPageSize;
  list.metadata_only = selection_.metadata_only;
  CallOptions options;
  options.stop = stop_.get_token();
  std::string version;
  known_.BeginListing();
  do {
    ESC_ASSIGN_OR_RETURN(ListPage page, environment_.api.List(selection_.resource, list, options));
    if (version.empty()) version = std::move(page.resource_version);
    list.continue_token = std::move(page.continue_token);
    for (Object& object : page.items) Tell(std::move(object));
  } while (!list.continue_token.empty() && !IsClosed());
  for (const ObjectKey& key : known_.TakeVanished()) {
    CallHandler([&](InformerHandler& handler) { handler.OnDelete(key); });
  }
  version_ = std::move(version);
  TellSynced();
  return {};
}

Status Reflector::OpenWatch() {
  const std::string action = "watch " + what_;
  initial_events_ = version_.empty();
  if (initial_events_) known_.BeginListing();
  opened_ = progress_ = false;
  Result<Connection::Request> request = environment_.connection.Prepare(
      "GET", selection_.resource.Path(selection_.namespace_name, "") + "?" + WatchQuery(),
      stop_.get_token());
  if (!request) return std::unexpected(Annotate(std::move(request).error(), action));
  request->http.headers.push_back(
      {"Accept", std::string(selection_.metadata_only ? kMetadata : "application/json")});
  request->http.total_timeout = kOpenTimeout;
  token_ = request->token;
  auto watch = std::make_shared<WatchStream>(action, selection_.resource, environment_.streams,
                                             environment_.clock, [weak = weak_from_this()] {
                                               if (const auto self = weak.lock())
                                                 self->StartDrain();
                                             });
  {
    MutexLock lock(mutex_);
    if (closed_) return {};
    watch_ = watch;
  }
  // Last, as the state is Drain's from here on.
  watch->Open(request->http, environment_.idle_watch);
  return {};
}

std::string Reflector::WatchQuery() {
  const auto shortest = environment_.min_watch.count();
  std::uniform_int_distribution<std::int64_t> timeout(shortest, 2 * shortest);
  std::string query =
      "watch=true&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(timeout(random_));
  if (!version_.empty()) query += "&resourceVersion=" + UrlEncode(version_);
  if (version_.empty() && !plain_) {
    query += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
  }
  if (!selection_.label_selector.empty()) {
    query += "&labelSelector=" + UrlEncode(selection_.label_selector);
  }
  if (!selection_.field_selector.empty()) {
    query += "&fieldSelector=" + UrlEncode(selection_.field_selector);
  }
  return query;
}

void Reflector::Drain(const std::shared_ptr<WatchStream>& watch) {
  do {
    if (IsClosed()) return;
    const WatchStream::Batch batch = watch->Take(kBatch);
    if (batch.opened_at) {
      opened_ = true;
      opened_at_ = last_event_ = *batch.opened_at;
      TellHealth({});
    }
    for (const Secret& line : batch.lines) {
      Status applied = Apply(line);
      if (applied) continue;
      watch->Close();
      EndWatch({.status = std::move(applied), .http_status = 200});
      return;
    }
    if (batch.end) {
      EndWatch(*batch.end);
      return;
    }
    if (plain_ && initial_events_ && opened_) Settle(watch);
  } while (!watch->Done());
}

Status Reflector::Apply(const Secret& line) {
  ESC_ASSIGN_OR_RETURN(WatchEvent event,
                       ParseWatchEvent(line, "watch " + what_, selection_.resource));
  progress_ = true;
  last_event_ = environment_.clock.Now();
  const std::string version = event.object.ResourceVersion();
  switch (event.type) {
    case WatchEvent::Type::kBookmark:
      if (initial_events_ && (plain_ || event.EndsInitialEvents())) FinishInitialEvents();
      break;
    case WatchEvent::Type::kAdded:
    case WatchEvent::Type::kModified:
      Tell(std::move(event.object));
      break;
    case WatchEvent::Type::kDeleted:
      if (known_.Remove(event.object)) {
        const ObjectKey key = event.object.Key();
        CallHandler([&](InformerHandler& handler) { handler.OnDelete(key); });
      }
      break;
  }
  // Initial events have the versions of their objects, in any order: no place to resume at.
  if (!initial_events_ && !version.empty()) version_ = version;
  return {};
}

void Reflector::FinishInitialEvents() {
  initial_events_ = false;
  for (const ObjectKey& key : known_.TakeVanished()) {
    CallHandler([&](InformerHandler& handler) { handler.OnDelete(key); });
  }
  TellSynced();
}

// A plain watch does not say when its initial events are over. That none has come for a while is
// good enough to say so, but not to take anything for deleted: that waits for a bookmark.
void Reflector::Settle(const std::shared_ptr<WatchStream>& watch) {
  if (synced_) return;
  const Clock::TimePoint settled = last_event_ + environment_.settle;
  if (environment_.clock.Now() >= settled) {
    TellSynced();
    return;
  }
  environment_.network.SubmitAt(settled, [weak = std::weak_ptr(watch)] {
    if (const auto alive = weak.lock()) alive->Poke();
  });
}

void Reflector::EndWatch(const WatchStream::End& end) {
  const bool expired = !end.status && end.status.error().code == Code::kFailedPrecondition;
  if (expired || end.http_status == 404) version_.clear();
  if (end.http_status == 401) environment_.connection.Refused(token_);
  const bool lived = opened_ && environment_.clock.Now() - opened_at_ >= kLongEnough;
  const bool worked = lived || (opened_ && progress_);
  if (worked) backoff_.Reset();
  const auto asked = end.status ? milliseconds(0) : end.status.error().retry_after;
  if (lived) {
    StartConnect(asked);
  } else if (worked) {
    StartConnect(backoff_.Next(asked));
  } else if (initial_events_ && !plain_ && (end.http_status == 400 || end.http_status == 422)) {
    plain_ = true;
    StartConnect(milliseconds(0));
  } else if (backoff_.Failures() == 0 && (expired || end.http_status == 401)) {
    // The remedy is known (list, another token) and tried at once, but once.
    backoff_.Next();
    StartConnect(milliseconds(0));
  } else if (end.status) {
    Retry({.code = Code::kUnavailable,
           .message = "watch " + what_ + ": the server ended it at once"});
  } else {
    Retry(end.status.error());
  }
}

void Reflector::Retry(const Error& error) {
  if (IsClosed()) return;
  if (error.code == Code::kFailedPrecondition) version_.clear();
  TellHealth(std::unexpected(error));
  StartConnect(backoff_.Next(error.retry_after));
}

void Reflector::Tell(Object object) {
  const KnownObjects::Change change = known_.Update(object);
  if (change == KnownObjects::Change::kSame) return;
  if (change == KnownObjects::Change::kReplaced) {
    const ObjectKey key = object.Key();
    CallHandler([&](InformerHandler& handler) { handler.OnDelete(key); });
  }
  CallHandler([&](InformerHandler& handler) { handler.OnUpsert(std::move(object), !synced_); });
}

void Reflector::TellSynced() {
  if (std::exchange(synced_, true)) return;
  CallHandler([](InformerHandler& handler) { handler.OnSynced(); });
}

void Reflector::TellHealth(const Status& status) {
  std::optional<Code> failing;
  if (!status) failing = status.error().code;
  if (failing == std::exchange(failing_, failing)) return;
  CallHandler([&](InformerHandler& handler) { handler.OnHealth(status); });
}

}  // namespace escagent::kube
