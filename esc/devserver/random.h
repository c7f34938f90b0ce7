#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace escagent::devserver {

// Lower-case hex digits of bytes.
std::string HexOf(std::string_view bytes);

// Hex digits of so many unpredictable bytes (OpenSSL's generator).
std::string RandomHex(std::size_t bytes);

}  // namespace escagent::devserver
