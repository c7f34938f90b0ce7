#pragma once

#include <cstddef>
#include <string>

namespace escagent::devserver {

// Hex digits of so many unpredictable bytes (OpenSSL's generator).
std::string RandomHex(std::size_t bytes);

}  // namespace escagent::devserver
