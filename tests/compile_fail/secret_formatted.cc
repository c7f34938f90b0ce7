// refused: formatter<escagent::Secret.*(deleted|Cannot format)|Cannot format an argument
#include <fmt/format.h>

#include "base/secret.h"

std::string Format(const escagent::Secret& secret) {
#ifdef MISUSE
  return fmt::format("{}", secret);
#else
  return fmt::format("{}", secret.Size());
#endif
}
