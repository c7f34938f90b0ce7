#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace escagent::devserver {

// RFC 4648 section 5 (the alphabet for URLs), without padding. Nothing when the text is not that.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace escagent::devserver
