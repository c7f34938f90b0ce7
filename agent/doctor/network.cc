#include "agent/doctor/network.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

#include "base/unique_fd.h"

namespace escagent::doctor {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

std::string Describe(const Host& host) {
  const bool v6 = host.name.find(':') != std::string::npos;
  return (v6 ? "[" + host.name + "]" : host.name) + ":" + host.port;
}

// 0 or an errno.
int Connect(const addrinfo& address, std::chrono::milliseconds timeout) {
  const UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno;
  if (connect(fd.Get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd polled = {fd.Get(), POLLOUT, 0};
  if (poll(&polled, 1, static_cast<int>(timeout.count())) != 1) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd.Get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

// "http://user:password@proxy:3128" without what may be secret.
std::string WithoutCredentials(const std::string& proxy) {
  const std::size_t at = proxy.rfind('@');
  if (at == std::string::npos) return proxy;
  const std::size_t scheme = proxy.find("://");
  return (scheme < at ? proxy.substr(0, scheme + 3) : "") + proxy.substr(at + 1);
}

}  // namespace

bool Host::IsLoopback() const {
  return name == "localhost" || name == "::1" || name.starts_with("127.");
}

Result<Host> ParseHost(const std::string& url) {
  const auto bad = [&] {
    return InvalidArgument("the URL must be like https://host[:port], without user:password@");
  };
  Host host;
  const std::size_t colon = url.find("://");
  if (colon == std::string::npos) return bad();
  host.scheme = url.substr(0, colon);
  if (host.scheme != "https" && host.scheme != "http") return bad();
  std::string authority = url.substr(colon + 3, url.find_first_of("/?#", colon + 3) - colon - 3);
  if (authority.find('@') != std::string::npos) return bad();
  host.port = host.scheme == "https" ? "443" : "80";
  const std::size_t bracket = authority.find(']');
  const std::size_t port = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  if (port != std::string::npos) {
    host.port = authority.substr(port + 1);
    authority.resize(port);
  }
  if (bracket != std::string::npos) authority = authority.substr(1, bracket - 1);
  host.name = authority;
  const bool digits = std::ranges::all_of(host.port, [](char c) { return c >= '0' && c <= '9'; });
  if (host.name.empty() || host.port.empty() || !digits) return bad();
  return host;
}

Status ReachHost(const Host& host, std::chrono::milliseconds timeout) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.name.c_str(), host.port.c_str(), &hints, &found);
  const Addresses addresses(found, freeaddrinfo);
  if (failed != 0) return NotFound("the name " + host.name + ": " + gai_strerror(failed));
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  int error = ETIMEDOUT;
  for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    error = Connect(*one, left);
    if (error == 0) return {};
  }
  return Unavailable("connect to " + Describe(host) + ": " +
                     std::error_code(error, std::generic_category()).message());
}

std::optional<std::string> FindProxy(const Host& host, const Environment& environment) {
  if (host.IsLoopback()) return std::nullopt;
  std::vector<const char*> names = {"https_proxy", "HTTPS_PROXY"};
  if (host.scheme == "http") names = {"http_proxy", "HTTP_PROXY"};
  names.insert(names.end(), {"all_proxy", "ALL_PROXY"});
  for (const char* name : names) {
    const std::string value = environment(name);
    if (!value.empty()) return std::string(name) + "=" + WithoutCredentials(value);
  }
  return std::nullopt;
}

}  // namespace escagent::doctor
