#include "kube/watch_stream.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "kube/api_error.h"

namespace escagent::kube {
namespace {

// A Status is small.
constexpr std::size_t kMaxRefusal = std::size_t{64} << 10;

}  // namespace

WatchStream::WatchStream(std::string action, Resource resource, HttpStreams& streams, Clock& clock,
                         std::function<void()> on_ready)
    : action_(std::move(action)),
      resource_(std::move(resource)),
      streams_(streams),
      clock_(clock),
      on_ready_(std::move(on_ready)) {}

void WatchStream::Open(const HttpRequest& request, std::chrono::milliseconds idle_timeout) {
  const HttpStreams::StreamId id = streams_.Open(request, idle_timeout, shared_from_this());
  {
    MutexLock lock(mutex_);
    id_ = id;
    if (!closed_) return;
  }
  // It was closed before its id was known.
  streams_.Close(id);
}

void WatchStream::Close() {
  {
    MutexLock lock(mutex_);
    taking_ = true;  // no more calls of on_ready
  }
  CloseStream();
}

void WatchStream::CloseStream() {
  std::optional<HttpStreams::StreamId> id;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    id = id_;
  }
  if (id) streams_.Close(*id);
}

WatchStream::Batch WatchStream::Take(std::size_t max_lines) {
  MutexLock lock(mutex_);
  Batch batch;
  batch.opened_at = std::exchange(opened_at_, std::nullopt);
  const std::size_t count = std::min(max_lines, lines_.size());
  const auto last = lines_.begin() + static_cast<std::ptrdiff_t>(count);
  batch.lines.assign(std::make_move_iterator(lines_.begin()), std::make_move_iterator(last));
  lines_.erase(lines_.begin(), last);
  for (const Secret& line : batch.lines) queued_ -= line.Size();
  if (lines_.empty()) batch.end = end_;
  return batch;
}

bool WatchStream::Done() {
  MutexLock lock(mutex_);
  if (opened_at_ || !lines_.empty() || end_) return false;
  taking_ = false;
  return true;
}

void WatchStream::Poke() {
  {
    MutexLock lock(mutex_);
    if (!MarkReady()) return;
  }
  on_ready_();
}

bool WatchStream::MarkReady() { return !std::exchange(taking_, true); }

void WatchStream::OnResponse(const HttpResponse& response) {
  response_.status = response.status;
  response_.headers = response.headers;
  if (response.status != 200) return;
  {
    MutexLock lock(mutex_);
    opened_at_ = clock_.Now();
    if (!MarkReady()) return;
  }
  on_ready_();
}

void WatchStream::OnData(std::string_view bytes) {
  if (response_.status != 200) {
    refusal_.Append(bytes.substr(0, kMaxRefusal - std::min(kMaxRefusal, refusal_.Size())));
    return;
  }
  std::vector<Secret> lines;
  const Status fed = decoder_.Feed(bytes, lines);
  if (fed && lines.empty()) return;
  bool ended = false;
  bool ready = false;
  {
    MutexLock lock(mutex_);
    if (end_) return;
    for (Secret& line : lines) {
      queued_ += line.Size();
      lines_.push_back(std::move(line));
    }
    if (!fed) EndWith(std::unexpected(Annotate(fed.error(), action_)));
    if (queued_ > kMaxQueued && !end_) EndWith({});
    ended = end_.has_value();
    ready = MarkReady();
  }
  if (ended) CloseStream();
  if (ready) on_ready_();
}

void WatchStream::OnEnd(Status status) {
  if (status && response_.status == 200 && decoder_.HasPart()) {
    status = Unavailable(action_ + ": the answer ended within an event");
  }
  if (!status) status = std::unexpected(Annotate(std::move(status).error(), action_));
  if (status && response_.status != 200) {
    response_.body = refusal_.Finish();
    status = std::unexpected(ApiError(response_, action_, resource_, clock_.WallNow()));
  }
  {
    MutexLock lock(mutex_);
    if (!end_) EndWith(std::move(status));
    if (!MarkReady()) return;
  }
  on_ready_();
}

void WatchStream::EndWith(Status status) { end_ = End{std::move(status), response_.status}; }

}  // namespace escagent::kube
