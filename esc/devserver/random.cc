#include "esc/devserver/random.h"

#include <openssl/rand.h>

#include <cstdlib>

namespace escagent::devserver {

std::string HexOf(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

std::string RandomHex(std::size_t bytes) {
  std::string random(bytes, '\0');
  // It only fails on a broken system, and nothing here may be guessable then.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(bytes)) != 1) {
    std::abort();
  }
  return HexOf(random);
}

}  // namespace escagent::devserver
