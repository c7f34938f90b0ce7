#include "esc/devserver/base64_url.h"

#include <algorithm>

#include "base/secret.h"
#include "base/strings.h"

namespace escagent::devserver {

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  std::string standard(text);
  if (standard.find_first_of("+/=\r\n") != std::string::npos) return std::nullopt;
  std::ranges::replace(standard, '-', '+');
  std::ranges::replace(standard, '_', '/');
  standard.append((4 - standard.size() % 4) % 4, '=');
  const auto bytes = DecodeBase64(standard);
  if (!bytes) return std::nullopt;
  return std::string(bytes->Reveal());
}

}  // namespace escagent::devserver
