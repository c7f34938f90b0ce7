#include "base/listen_address.h"

#include <charconv>

namespace escagent {

Result<ListenAddress> ListenAddress::Parse(std::string_view text) {
  const auto bad = [&] {
    return InvalidArgument("\"" + std::string(text) +
                           "\" is not an address to listen on; write it like 127.0.0.1:9808, "
                           "[::1]:9808 or :9808; port 0 is any free one");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  ListenAddress address;
  address.host = host.empty() ? "0.0.0.0" : std::string(host);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size() || address.port < 0 ||
      address.port > 65535) {
    return bad();
  }
  return address;
}

}  // namespace escagent
