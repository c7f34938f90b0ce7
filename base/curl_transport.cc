#include "base/curl_transport.h"

#include <curl/curl.h>
#include <openssl/crypto.h>

#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/curl_request.h"
#include "base/mutex.h"

// A Channel is an easy handle in a multi handle of its own. The multi handle owns the connections,
// so a channel that goes back to the pool keeps its connection open for the next call; and
// curl_multi_wakeup, the one curl call that other threads may make, lets a stop request end a call
// at once.

namespace escagent {
namespace {

// What curl's callbacks fill during one call.
struct Answer {
  HttpResponse response;
  SecretBuilder body;
  std::size_t max_body = 0;
  bool too_large = false;
};

std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* user) {
  auto& answer = *static_cast<Answer*>(user);
  const std::size_t n = size * count;
  if (answer.body.Size() + n > answer.max_body) {
    answer.too_large = true;
    return 0;
  }
  answer.body.Append({data, n});
  // curl's buffer stays with the handle, which waits for the next call.
  OPENSSL_cleanse(data, n);
  return n;
}

std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* user) {
  AddHeaderLine({data, size * count}, static_cast<Answer*>(user)->response);
  return size * count;
}

std::unexpected<Error> TransferError(CURLcode code, const char* buffer, bool connected,
                                     const HttpRequest& request, const CurlRequest& prepared,
                                     const Answer& answer) {
  const std::string what = prepared.display() + ": ";
  if (answer.too_large) {
    return MakeError(Code::kResourceExhausted, what + "the answer is larger than " +
                                                   std::to_string(request.max_body) + " bytes");
  }
  if (code == CURLE_OPERATION_TIMEDOUT && !connected) {
    const auto timeout = std::min(request.connect_timeout, request.total_timeout);
    return Unavailable(what + "no connection within " + std::to_string(timeout.count()) + " ms");
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return MakeError(
        Code::kDeadlineExceeded,
        what + "no whole answer within " + std::to_string(request.total_timeout.count()) + " ms");
  }
  return prepared.TransferError(code, buffer);
}

}  // namespace

class CurlTransport::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) { InitialiseCurl(); }

  ~Impl() {
    for (Channel& channel : idle_) Close(channel);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<HttpResponse> Send(const HttpRequest& request, const std::stop_token& stop) {
    ESC_ASSIGN_OR_RETURN(const CurlRequest prepared, CurlRequest::Make(request, options_));
    Channel channel = Take();
    Answer answer;
    answer.max_body = request.max_body;
    std::array<char, CURL_ERROR_SIZE> error_buffer = {};
    Configure(channel.easy, request, prepared, answer, error_buffer.data());
    const Result<CURLcode> code = Perform(channel, prepared, stop);
    long status = 0;
    curl_easy_getinfo(channel.easy, CURLINFO_RESPONSE_CODE, &status);
    long request_bytes = 0;  // sent: there was a connection
    curl_easy_getinfo(channel.easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_reset(channel.easy);  // no pointer to this call's data outlives it
    GiveBack(channel);
    if (!code) return std::unexpected(code.error());
    if (*code != CURLE_OK) {
      return TransferError(*code, error_buffer.data(), request_bytes > 0, request, prepared,
                           answer);
    }
    answer.response.status = static_cast<int>(status);
    answer.response.body = answer.body.Finish();
    return std::move(answer.response);
  }

 private:
  struct Channel {
    CURLM* multi = nullptr;
    CURL* easy = nullptr;
  };

  static void Close(Channel& channel) {
    curl_easy_cleanup(channel.easy);
    curl_multi_cleanup(channel.multi);
  }

  Channel Take() EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (!idle_.empty()) {
        // The last one back has the freshest connection.
        const Channel channel = idle_.back();
        idle_.pop_back();
        return channel;
      }
    }
    const Channel channel{curl_multi_init(), curl_easy_init()};
    if (channel.multi == nullptr || channel.easy == nullptr) std::abort();
    return channel;
  }

  void GiveBack(Channel channel) EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (idle_.size() < kMaxIdle) {
        idle_.push_back(channel);
        return;
      }
    }
    Close(channel);
  }

  static void Configure(CURL* easy, const HttpRequest& request, const CurlRequest& prepared,
                        Answer& answer, char* error_buffer) {
    prepared.Apply(easy, request.body.Reveal());
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(request.connect_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_buffer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &answer);
  }

  static Result<CURLcode> Perform(Channel& channel, const CurlRequest& prepared,
                                  const std::stop_token& stop) {
    curl_multi_add_handle(channel.multi, channel.easy);
    const std::stop_callback wake(stop, [multi = channel.multi] { curl_multi_wakeup(multi); });
    Result<CURLcode> code = CURLE_OK;
    int running = 1;
    while (running > 0) {
      if (stop.stop_requested()) {
        code = MakeError(Code::kCancelled, prepared.display() + ": stopped");
        break;
      }
      if (curl_multi_perform(channel.multi, &running) != CURLM_OK ||
          (running > 0 && curl_multi_poll(channel.multi, nullptr, 0, 1000, nullptr) != CURLM_OK)) {
        code = Internal(prepared.display() + ": libcurl's multi handle failed");
        break;
      }
    }
    if (code) code = Outcome(channel.multi);
    curl_multi_remove_handle(channel.multi, channel.easy);
    return code;
  }

  static CURLcode Outcome(CURLM* multi) {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    return CURLE_RECV_ERROR;
  }

  static constexpr std::size_t kMaxIdle = 16;

  const Options options_;
  Mutex mutex_;
  std::vector<Channel> idle_ GUARDED_BY(mutex_);
};

CurlTransport::CurlTransport(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

CurlTransport::~CurlTransport() = default;

Result<HttpResponse> CurlTransport::Send(const HttpRequest& request, std::stop_token stop) {
  return impl_->Send(request, stop);
}

}  // namespace escagent
