#include "esc/devserver/random.h"

#include <openssl/rand.h>

#include <cstdlib>
#include <string_view>
#include <vector>

namespace escagent::devserver {

std::string RandomHex(std::size_t bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<unsigned char> random(bytes);
  // It only fails on a broken system, and nothing here may be guessable then.
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) std::abort();
  std::string text;
  for (const unsigned char byte : random) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

}  // namespace escagent::devserver
