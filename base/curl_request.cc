#include "base/curl_request.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace escagent {
namespace {

bool IsLoopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]" || host == "::1") return true;
  if (!host.starts_with("127.")) return false;
  return host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string UrlPart(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return "";
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

// Codes whose error buffer tells more than the code and holds only names of hosts, files and
// certificates, and what sockets and TLS say.
bool BufferIsSafe(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
      return true;
    default:
      return false;
  }
}

curl_blob Borrow(std::string_view bytes) {
  // curl only reads it.
  return {.data = const_cast<char*>(bytes.data()), .len = bytes.size(), .flags = CURL_BLOB_NOCOPY};
}

}  // namespace

void InitialiseCurl() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised != CURLE_OK) std::abort();
}

CurlLines::CurlLines(CurlLines&& other) noexcept : list_(std::exchange(other.list_, nullptr)) {}

CurlLines& CurlLines::operator=(CurlLines&& other) noexcept {
  std::swap(list_, other.list_);
  return *this;
}

CurlLines::~CurlLines() {
  for (curl_slist* item = list_; item != nullptr; item = item->next) {
    OPENSSL_cleanse(item->data, std::strlen(item->data));
  }
  curl_slist_free_all(list_);
}

void CurlLines::Add(const char* line) {
  list_ = curl_slist_append(list_, line);
  if (list_ == nullptr) std::abort();
}

Result<CurlRequest> CurlRequest::Make(const HttpRequest& request, const CurlOptions& options) {
  CurlRequest made(options);
  made.method_ = request.method;
  ESC_RETURN_IF_ERROR(made.SetTarget(request.url));
  if (!IsToken(request.method)) {
    return InvalidArgument("send request to " + made.display_ + ": the method is malformed");
  }
  made.display_ = request.method + " " + made.display_;
  ESC_RETURN_IF_ERROR(made.CheckScheme());
  ESC_RETURN_IF_ERROR(made.SetHeaders(request));
  return made;
}

Status CurlRequest::SetTarget(const std::string& text) {
  if (HasControl(text) || text.find(' ') != std::string::npos) {
    return InvalidArgument("send HTTP request: the URL has a space or a control character");
  }
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return InvalidArgument(
        "send HTTP request: the URL is malformed; it must be like "
        "https://host[:port]/path");
  }
  url_ = text;
  scheme_ = UrlPart(url.get(), CURLUPART_SCHEME);
  host_ = UrlPart(url.get(), CURLUPART_HOST);
  const std::string port = UrlPart(url.get(), CURLUPART_PORT);
  const std::string authority = host_ + (port.empty() ? "" : ":" + port);
  display_ = scheme_ + "://" + authority + UrlPart(url.get(), CURLUPART_PATH);
  if (!UrlPart(url.get(), CURLUPART_USER).empty()) {
    return InvalidArgument("send request to " + display_ +
                           ": credentials in the URL are refused; remove user:password@");
  }
  if (scheme_ == "https" && !options_->tls.server_name.empty()) {
    PresentServerName(url.get(), authority);
  }
  return {};
}

// curl takes the name that TLS asks for and checks from the URL alone. So the URL gets that name,
// the connection goes to the true host, and the Host header stays as it was.
void CurlRequest::PresentServerName(CURLU* url, const std::string& authority) {
  const std::string port = UrlPart(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (curl_url_set(url, CURLUPART_HOST, options_->tls.server_name.c_str(), 0) != CURLUE_OK) return;
  url_ = UrlPart(url, CURLUPART_URL);
  connect_to_.Add(("::" + host_ + ":" + port).c_str());
  headers_.Add(("Host: " + authority).c_str());
}

Status CurlRequest::CheckScheme() const {
  if (scheme_ == "https") return {};
  if (scheme_ != "http") return InvalidArgument(display_ + ": only https and http are spoken");
  if (options_->allow_plain_http || IsLoopback(host_)) return {};
  return InvalidArgument(display_ + ": plain http would send the token in the clear; use https");
}

std::unexpected<Error> CurlRequest::BadHeader(std::string_view name) const {
  return InvalidArgument(display_ + ": header " + std::string(name) +
                         " has a control character (a line break at the end of a token file?)");
}

Status CurlRequest::SetHeaders(const HttpRequest& request) {
  for (const HttpHeader& header : request.headers) {
    if (!IsToken(header.name)) {
      return InvalidArgument(display_ + ": the name of a header is malformed");
    }
    if (HasControl(header.value)) return BadHeader(header.name);
    headers_.Add((header.name + ": " + header.value).c_str());
  }
  if (HasControl(request.content_type)) return BadHeader("Content-Type");
  if (!request.content_type.empty()) {
    headers_.Add(("Content-Type: " + request.content_type).c_str());
  }
  headers_.Add("Expect:");  // no 100-continue round trip
  if (request.credential == nullptr) return {};
  if (HasControl(request.credential->Reveal()) || HasControl(request.authorization_scheme)) {
    return BadHeader("Authorization");
  }
  SecretBuilder line;
  line.Append("Authorization: " + request.authorization_scheme + " ");
  line.Append(*request.credential);
  line.Append('\0');
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): ends with the NUL above.
  headers_.Add(line.Reveal().data());
  return {};
}

void CurlRequest::Apply(CURL* easy, std::string_view body) const {
  curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(options_->max_idle.count()));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options_->user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (connect_to_.get() != nullptr) curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to_.get());
  ApplyTls(easy);
  ApplyProxy(easy);
  ApplyMethod(easy, body);
}

void CurlRequest::ApplyTls(CURL* easy) const {
  const TlsOptions& tls = options_->tls;
  if (tls.insecure) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  } else if (!tls.ca_pem.empty()) {
    const curl_blob blob = Borrow(tls.ca_pem);
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  } else if (!tls.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    // Otherwise curl would keep what it has read for a day.
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
  }
  const bool has_certificate = !tls.certificate_pem.empty() || !tls.certificate_file.empty();
  if (!tls.certificate_pem.empty()) {
    const curl_blob blob = Borrow(tls.certificate_pem);
    curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &blob);
  } else if (has_certificate) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.certificate_file.c_str());
  }
  if (tls.key_pem != nullptr) {
    const curl_blob blob = Borrow(tls.key_pem->Reveal());
    curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &blob);
  } else if (!tls.key_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key_file.c_str());
  }
  if (has_certificate || !tls.ca_file.empty()) {
    // A resumed session would go on with the identities of when it began.
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  }
}

// curl reads https_proxy, HTTPS_PROXY, http_proxy and NO_PROXY by itself. As in Go's clients,
// loopback is never proxied and HTTP_PROXY counts in capitals too.
void CurlRequest::ApplyProxy(CURL* easy) const {
  if (IsLoopback(host_)) {
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    return;
  }
  if (!options_->proxy_url.empty()) {
    curl_easy_setopt(easy, CURLOPT_PROXY, options_->proxy_url.c_str());
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    return;
  }
  const char* proxy = std::getenv("HTTP_PROXY");
  if (scheme_ == "http" && proxy != nullptr && std::getenv("http_proxy") == nullptr) {
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
  }
}

void CurlRequest::ApplyMethod(CURL* easy, std::string_view body) const {
  const bool sends_body =
      !body.empty() || method_ == "POST" || method_ == "PUT" || method_ == "PATCH";
  if (method_ == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (sends_body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.empty() ? "" : body.data());
  }
  if (method_ != "GET" && method_ != "HEAD" && method_ != "POST") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method_.c_str());
  }
}

std::unexpected<Error> CurlRequest::TransferError(CURLcode code, const char* buffer) const {
  std::string cause = curl_easy_strerror(code);
  if (BufferIsSafe(code) && buffer[0] != '\0') cause = buffer;
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    cause += "; set the CA that signed the server's certificate";
  }
  return Unavailable(display_ + ": " + cause);
}

void AddHeaderLine(std::string_view line, HttpResponse& response) {
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    response.headers.clear();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  response.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
}

}  // namespace escagent
