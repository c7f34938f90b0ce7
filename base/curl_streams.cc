#include "base/curl_streams.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/curl_request.h"
#include "base/mutex.h"
#include "base/thread.h"

// The loop thread alone touches the multi handle (but for curl_multi_wakeup) and the streams on it.
// Other threads leave it mail: streams to begin, ids to end. Which streams are open is under the
// mutex, and so is the id of the one whose handler is being called: Close takes the id off the
// first, after which no call begins, and waits while it is the second.

namespace escagent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using TimePoint = steady_clock::time_point;

constexpr seconds kLongestPoll{60};
constexpr seconds kKeepaliveIdle{30};
constexpr seconds kKeepaliveInterval{10};
constexpr milliseconds kUnacknowledged{30000};

int SetSocketOptions(void*, curl_socket_t fd, curlsocktype) {
  const auto timeout = static_cast<unsigned>(kUnacknowledged.count());
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
  return CURL_SOCKOPT_OK;
}

// The socket of a stream's connection; CURL_SOCKET_BAD when it has none yet.
curl_socket_t SocketOf(CURL* easy) {
  curl_socket_t fd = CURL_SOCKET_BAD;
  curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
  return fd;
}

}  // namespace

class CurlStreams::Impl {
 public:
  explicit Impl(CurlOptions options) : options_(std::move(options)) {
    InitialiseCurl();
    multi_ = curl_multi_init();
    if (multi_ == nullptr) std::abort();
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    thread_ = StartThread("http-streams", [this](const std::stop_token& stop) { Run(stop); });
    loop_thread_ = thread_.get_id();
  }

  ~Impl() {
    thread_.request_stop();
    thread_.join();
    {
      MutexLock lock(mutex_);
      opened_.clear();
    }
    curl_multi_cleanup(multi_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  StreamId Open(const HttpRequest& request, milliseconds idle_timeout,
                std::shared_ptr<HttpStreamHandler> handler) EXCLUDES(mutex_) {
    auto stream = std::make_unique<Stream>(*this, std::move(handler));
    stream->idle_timeout = idle_timeout;
    auto prepared = CurlRequest::Make(request, options_);
    if (prepared) {
      stream->request.emplace(*std::move(prepared));
      stream->Configure(request);
    } else {
      stream->refused = std::move(prepared).error();
    }
    StreamId id = 0;
    {
      MutexLock lock(mutex_);
      id = stream->id = ++last_id_;
      open_.insert(id);
      opened_.push_back(std::move(stream));
    }
    curl_multi_wakeup(multi_);
    return id;
  }

  void Close(StreamId id) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (open_.erase(id) > 0) {
      closed_.push_back(id);
      curl_multi_wakeup(multi_);
    }
    if (std::this_thread::get_id() == loop_thread_) return;
    while (called_ == id) call_ended_.Wait(mutex_);
  }

 private:
  // One transfer. But for `id`, which is guarded until the loop has it, the loop's own.
  struct Stream {
    Stream(Impl& impl, std::shared_ptr<HttpStreamHandler> h)
        : owner(impl), handler(std::move(h)), easy(curl_easy_init()) {
      if (easy == nullptr) std::abort();
    }
    ~Stream() { curl_easy_cleanup(easy); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    void Configure(const HttpRequest& http);
    // When it has been silent for too long; nothing when it may be silent for ever.
    std::optional<TimePoint> Deadline() const;
    std::unexpected<Error> TimeoutError() const;
    Status Outcome(CURLcode code) const;

    static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* user);
    static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* user);

    Impl& owner;
    StreamId id = 0;
    std::shared_ptr<HttpStreamHandler> handler;
    CURL* easy;
    std::optional<CurlRequest> request;  // nothing: refused
    Error refused;
    Secret body;
    milliseconds connect_timeout{0};
    milliseconds header_timeout{0};
    milliseconds idle_timeout{0};
    std::array<char, CURL_ERROR_SIZE> error_buffer = {};
    HttpResponse response;
    bool responded = false;
    TimePoint started;
    TimePoint last_byte;
  };

  // Calls the handler unless the stream has been closed. False: closed, by then or in the call.
  template <class Call>
  bool CallHandler(const Stream& stream, Call call) EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (!open_.contains(stream.id)) return false;
      called_ = stream.id;
    }
    call(*stream.handler);
    MutexLock lock(mutex_);
    called_ = 0;
    call_ended_.NotifyAll();
    return open_.contains(stream.id);
  }

  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  void TakeMail() EXCLUDES(mutex_);
  void Begin(std::unique_ptr<Stream> stream);
  void FinishEnded();
  TimePoint EndSilent(TimePoint now);
  void CloseSilentConnection(const Stream& silent, TimePoint now);
  void End(Stream& stream, const Status& status) EXCLUDES(mutex_);

  const CurlOptions options_;
  CURLM* multi_ = nullptr;
  std::thread::id loop_thread_;
  std::unordered_map<StreamId, std::unique_ptr<Stream>> active_;  // the loop's
  TimePoint next_check_;                                          // the loop's

  Mutex mutex_;
  CondVar call_ended_;
  StreamId last_id_ GUARDED_BY(mutex_) = 0;
  StreamId called_ GUARDED_BY(mutex_) = 0;
  std::unordered_set<StreamId> open_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Stream>> opened_ GUARDED_BY(mutex_);
  std::vector<StreamId> closed_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

void CurlStreams::Impl::Stream::Configure(const HttpRequest& http) {
  body = http.body.Clone();
  connect_timeout = http.connect_timeout;
  header_timeout = http.total_timeout;
  request->Apply(easy, body.Reveal());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_buffer.data());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, static_cast<long>(kKeepaliveIdle.count()));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, static_cast<long>(kKeepaliveInterval.count()));
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, SetSocketOptions);
  // Ending a stream does not wait for a name server.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  // Better to wait for a connection to share than to open many. Plain http has nothing to share.
  if (http.url.starts_with("https:")) curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
}

std::optional<TimePoint> CurlStreams::Impl::Stream::Deadline() const {
  std::optional<TimePoint> deadline;
  if (!responded && header_timeout > milliseconds(0)) deadline = started + header_timeout;
  if (idle_timeout > milliseconds(0)) {
    const TimePoint idle = last_byte + idle_timeout;
    deadline = deadline ? std::min(*deadline, idle) : idle;
  }
  return deadline;
}

std::unexpected<Error> CurlStreams::Impl::Stream::TimeoutError() const {
  const std::string what = request->display() + ": ";
  if (!responded && header_timeout > milliseconds(0) &&
      (idle_timeout <= milliseconds(0) || header_timeout <= idle_timeout)) {
    return MakeError(Code::kDeadlineExceeded,
                     what + "no answer within " + std::to_string(header_timeout.count()) + " ms");
  }
  return Unavailable(what + "nothing received for " + std::to_string(idle_timeout.count()) + " ms");
}

Status CurlStreams::Impl::Stream::Outcome(CURLcode code) const {
  if (code == CURLE_OK) return {};
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Unavailable(request->display() + ": no connection within " +
                       std::to_string(connect_timeout.count()) + " ms");
  }
  return request->TransferError(code, error_buffer.data());
}

std::size_t CurlStreams::Impl::Stream::OnHeader(char* data, std::size_t size, std::size_t count,
                                                void* user) {
  auto& stream = *static_cast<Stream*>(user);
  const std::string_view line(data, size * count);
  stream.last_byte = steady_clock::now();
  if (stream.responded) return line.size();  // trailers
  AddHeaderLine(line, stream.response);
  if (line != "\r\n" && line != "\n") return line.size();
  long status = 0;
  curl_easy_getinfo(stream.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return line.size();
  stream.responded = true;
  stream.response.status = static_cast<int>(status);
  const bool goes_on = stream.owner.CallHandler(
      stream, [&](HttpStreamHandler& handler) { handler.OnResponse(stream.response); });
  return goes_on ? line.size() : 0;
}

std::size_t CurlStreams::Impl::Stream::OnBody(char* data, std::size_t size, std::size_t count,
                                              void* user) {
  auto& stream = *static_cast<Stream*>(user);
  const std::size_t n = size * count;
  stream.last_byte = steady_clock::now();
  const bool goes_on = stream.owner.CallHandler(
      stream, [&](HttpStreamHandler& handler) { handler.OnData({data, n}); });
  OPENSSL_cleanse(data, n);
  return goes_on ? n : 0;
}

void CurlStreams::Impl::Run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
  next_check_ = steady_clock::now() + kLongestPoll;
  while (!stop.stop_requested()) {
    TakeMail();
    int running = 0;
    // These fail only on a broken handle or out of memory.
    if (curl_multi_perform(multi_, &running) != CURLM_OK) std::abort();
    FinishEnded();
    const TimePoint now = steady_clock::now();
    if (now >= next_check_) next_check_ = EndSilent(now);
    const auto wait = std::chrono::ceil<milliseconds>(next_check_ - now);
    if (curl_multi_poll(multi_, nullptr, 0,
                        static_cast<int>(std::max(wait, milliseconds(0)).count()),
                        nullptr) != CURLM_OK) {
      std::abort();
    }
  }
  for (const auto& [id, stream] : active_) curl_multi_remove_handle(multi_, stream->easy);
  active_.clear();
}

void CurlStreams::Impl::TakeMail() {
  std::vector<std::unique_ptr<Stream>> opened;
  std::vector<StreamId> closed;
  {
    MutexLock lock(mutex_);
    opened.swap(opened_);
    closed.swap(closed_);
  }
  // In this order: a stream may be in both.
  for (std::unique_ptr<Stream>& stream : opened) Begin(std::move(stream));
  for (const StreamId id : closed) {
    const auto it = active_.find(id);
    if (it == active_.end()) continue;
    curl_multi_remove_handle(multi_, it->second->easy);
    active_.erase(it);
  }
}

void CurlStreams::Impl::Begin(std::unique_ptr<Stream> stream) {
  if (!stream->request) {
    End(*stream, std::unexpected(stream->refused));
    return;
  }
  stream->started = stream->last_byte = steady_clock::now();
  if (const auto deadline = stream->Deadline()) next_check_ = std::min(next_check_, *deadline);
  if (curl_multi_add_handle(multi_, stream->easy) != CURLM_OK) std::abort();
  active_.emplace(stream->id, std::move(stream));
}

void CurlStreams::Impl::End(Stream& stream, const Status& status) {
  CallHandler(stream, [&](HttpStreamHandler& handler) { handler.OnEnd(status); });
  MutexLock lock(mutex_);
  open_.erase(stream.id);
}

void CurlStreams::Impl::FinishEnded() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Stream* ended = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ended);
    const auto it = active_.find(ended->id);
    const std::unique_ptr<Stream> stream = std::move(it->second);
    active_.erase(it);
    curl_multi_remove_handle(multi_, stream->easy);  // the message is gone, too
    End(*stream, stream->Outcome(code));
  }
}

// Ends those whose deadline has passed; returns when to look again.
TimePoint CurlStreams::Impl::EndSilent(TimePoint now) {
  TimePoint next = now + kLongestPoll;
  std::vector<std::unique_ptr<Stream>> silent;
  for (auto it = active_.begin(); it != active_.end();) {
    const std::optional<TimePoint> deadline = it->second->Deadline();
    if (deadline && *deadline <= now) {
      silent.push_back(std::move(it->second));
      it = active_.erase(it);
      continue;
    }
    if (deadline) next = std::min(next, *deadline);
    ++it;
  }
  for (const std::unique_ptr<Stream>& stream : silent) {
    CloseSilentConnection(*stream, now);
    curl_multi_remove_handle(multi_, stream->easy);
    End(*stream, stream->TimeoutError());
  }
  return next;
}

void CurlStreams::Impl::CloseSilentConnection(const Stream& silent, TimePoint now) {
  const curl_socket_t fd = SocketOf(silent.easy);
  if (fd == CURL_SOCKET_BAD) return;
  const bool awaits_headers = !silent.responded && silent.header_timeout > milliseconds(0);
  const milliseconds patience = awaits_headers ? silent.header_timeout : silent.idle_timeout;
  for (const auto& [id, other] : active_) {
    if (other->responded && now - other->last_byte < patience && SocketOf(other->easy) == fd) {
      return;
    }
  }
  // curl sees the end of the connection on all of its streams.
  shutdown(fd, SHUT_RDWR);
}

CurlStreams::CurlStreams(CurlOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

CurlStreams::~CurlStreams() = default;

HttpStreams::StreamId CurlStreams::Open(const HttpRequest& request, milliseconds idle_timeout,
                                        std::shared_ptr<HttpStreamHandler> handler) {
  return impl_->Open(request, idle_timeout, std::move(handler));
}

void CurlStreams::Close(StreamId id) { impl_->Close(id); }

}  // namespace escagent
