#include "base/curl_transport.h"

#include <curl/curl.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/mutex.h"

// A Channel is an easy handle in a multi handle of its own. The multi handle owns the connections,
// so a channel that goes back to the pool keeps its connection open for the next call; and
// curl_multi_wakeup, the one curl call that other threads may make, lets a stop request end a call
// at once.

namespace escagent {
namespace {

struct Target {
  std::string display;  // scheme, host, port and path: what an error may show
  std::string scheme;
  std::string host;
};

bool IsLoopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]" || host == "::1") return true;
  if (!host.starts_with("127.")) return false;
  return host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string UrlPart(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK || text == nullptr) return "";
  std::string out(text);
  curl_free(text);
  return out;
}

bool HasControl(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  }
  return false;
}

// Whether `text` can be a method or the name of a header (RFC 9110 5.6.2, but for rare signs).
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

Result<Target> ParseTarget(const std::string& text) {
  if (HasControl(text) || text.find(' ') != std::string::npos) {
    return InvalidArgument("send HTTP request: the URL has a space or a control character");
  }
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return InvalidArgument(
        "send HTTP request: the URL is malformed; it must be like "
        "https://host[:port]/path");
  }
  Target target;
  target.scheme = UrlPart(url.get(), CURLUPART_SCHEME);
  target.host = UrlPart(url.get(), CURLUPART_HOST);
  const std::string port = UrlPart(url.get(), CURLUPART_PORT);
  target.display = target.scheme + "://" + target.host + (port.empty() ? "" : ":" + port) +
                   UrlPart(url.get(), CURLUPART_PATH);
  if (!UrlPart(url.get(), CURLUPART_USER).empty()) {
    return InvalidArgument("send request to " + target.display +
                           ": credentials in the URL are refused; remove user:password@");
  }
  return target;
}

struct HeaderList {
  ~HeaderList() {
    // curl copies header lines, the credential among them.
    for (curl_slist* item = list; item != nullptr; item = item->next) {
      OPENSSL_cleanse(item->data, std::strlen(item->data));
    }
    curl_slist_free_all(list);
  }
  void Add(const char* line) { list = curl_slist_append(list, line); }
  curl_slist* list = nullptr;
};

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
  return n;
}

std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* user) {
  auto& answer = *static_cast<Answer*>(user);
  std::string_view line(data, size * count);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    // A new status line: what came before belonged to a 1xx or to the proxy.
    answer.response.headers.clear();
    return size * count;
  }
  if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    answer.response.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
  }
  return size * count;
}

// Codes whose error buffer tells more than the code and holds only names of hosts and
// certificates.
bool BufferIsSafe(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
         code == CURLE_COULDNT_CONNECT || code == CURLE_PEER_FAILED_VERIFICATION ||
         code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CACERT_BADFILE;
}

std::unexpected<Error> TransferError(CURLcode code, const char* buffer, bool connected,
                                     const HttpRequest& request, const Target& target,
                                     const Answer& answer) {
  const std::string what = request.method + " " + target.display + ": ";
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
  std::string cause = curl_easy_strerror(code);
  if (BufferIsSafe(code) && buffer[0] != '\0') cause = buffer;
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    cause += "; set the CA that signed the server's certificate";
  }
  return Unavailable(what + cause);
}

}  // namespace

class CurlTransport::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (initialised != CURLE_OK) std::abort();
  }

  ~Impl() {
    for (Channel& channel : idle_) Close(channel);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<HttpResponse> Send(const HttpRequest& request, const std::stop_token& stop) {
    ESC_ASSIGN_OR_RETURN(const Target target, ParseTarget(request.url));
    if (!IsToken(request.method)) {
      return InvalidArgument("send request to " + target.display + ": the method is malformed");
    }
    ESC_RETURN_IF_ERROR(CheckScheme(request, target));
    HeaderList headers;
    ESC_RETURN_IF_ERROR(AddHeaders(request, target, headers));

    Channel channel = Take();
    Answer answer;
    answer.max_body = request.max_body;
    std::array<char, CURL_ERROR_SIZE> error_buffer = {};
    Configure(channel.easy, request, target, headers, answer, error_buffer.data());
    const Result<CURLcode> code = Perform(channel, request, target, stop);
    long status = 0;
    curl_easy_getinfo(channel.easy, CURLINFO_RESPONSE_CODE, &status);
    long request_bytes = 0;  // sent: there was a connection
    curl_easy_getinfo(channel.easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_reset(channel.easy);  // no pointer to this call's data outlives it
    GiveBack(channel);
    if (!code) return std::unexpected(code.error());
    if (*code != CURLE_OK) {
      return TransferError(*code, error_buffer.data(), request_bytes > 0, request, target, answer);
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

  Status CheckScheme(const HttpRequest& request, const Target& target) const {
    if (target.scheme == "https") return {};
    const std::string what = request.method + " " + target.display + ": ";
    if (target.scheme != "http") return InvalidArgument(what + "only https and http are spoken");
    if (options_.allow_plain_http || IsLoopback(target.host)) return {};
    return InvalidArgument(what + "plain http would send the token in the clear; use https");
  }

  Status AddHeaders(const HttpRequest& request, const Target& target, HeaderList& headers) const {
    const auto bad = [&](std::string_view name) {
      return InvalidArgument(request.method + " " + target.display + ": header " +
                             std::string(name) +
                             " has a control character (a line break at the end of a token file?)");
    };
    for (const HttpHeader& header : request.headers) {
      if (!IsToken(header.name)) {
        return InvalidArgument(request.method + " " + target.display +
                               ": the name of a header is malformed");
      }
      if (HasControl(header.value)) return bad(header.name);
      headers.Add((header.name + ": " + header.value).c_str());
    }
    if (HasControl(request.content_type)) return bad("Content-Type");
    if (!request.content_type.empty()) {
      headers.Add(("Content-Type: " + request.content_type).c_str());
    }
    headers.Add("Expect:");  // no 100-continue round trip
    if (request.credential != nullptr) {
      if (HasControl(request.credential->Reveal()) || HasControl(request.authorization_scheme)) {
        return bad("Authorization");
      }
      SecretBuilder line;
      line.Append("Authorization: " + request.authorization_scheme + " ");
      line.Append(*request.credential);
      line.Append('\0');
      // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): ends with the NUL above.
      headers.Add(line.Reveal().data());
    }
    return {};
  }

  void Configure(CURL* easy, const HttpRequest& request, const Target& target,
                 const HeaderList& headers, Answer& answer, char* error_buffer) const {
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(options_.max_idle.count()));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(request.connect_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.list);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_buffer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &answer);
    if (!options_.ca_file.empty()) {
      curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
      curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    }
    ConfigureProxy(easy, target);
    ConfigureMethod(easy, request);
  }

  // curl reads https_proxy, HTTPS_PROXY, http_proxy and NO_PROXY by itself. As in Go's clients,
  // loopback is never proxied and HTTP_PROXY counts in capitals too.
  static void ConfigureProxy(CURL* easy, const Target& target) {
    if (IsLoopback(target.host)) {
      curl_easy_setopt(easy, CURLOPT_PROXY, "");
      return;
    }
    const char* proxy = std::getenv("HTTP_PROXY");
    if (target.scheme == "http" && proxy != nullptr && std::getenv("http_proxy") == nullptr) {
      curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
    }
  }

  static void ConfigureMethod(CURL* easy, const HttpRequest& request) {
    const bool sends_body = !request.body.Empty() || request.method == "POST" ||
                            request.method == "PUT" || request.method == "PATCH";
    if (request.method == "HEAD") {
      curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (sends_body) {
      curl_easy_setopt(easy, CURLOPT_POST, 1L);
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.Size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                       request.body.Empty() ? "" : request.body.Reveal().data());
    }
    if (request.method != "GET" && request.method != "HEAD" && request.method != "POST") {
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
  }

  static Result<CURLcode> Perform(Channel& channel, const HttpRequest& request,
                                  const Target& target, const std::stop_token& stop) {
    curl_multi_add_handle(channel.multi, channel.easy);
    const std::stop_callback wake(stop, [multi = channel.multi] { curl_multi_wakeup(multi); });
    Result<CURLcode> code = CURLE_OK;
    int running = 1;
    while (running > 0) {
      if (stop.stop_requested()) {
        code = MakeError(Code::kCancelled, request.method + " " + target.display + ": stopped");
        break;
      }
      if (curl_multi_perform(channel.multi, &running) != CURLM_OK ||
          (running > 0 && curl_multi_poll(channel.multi, nullptr, 0, 1000, nullptr) != CURLM_OK)) {
        code = Internal(request.method + " " + target.display + ": libcurl's multi handle failed");
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
