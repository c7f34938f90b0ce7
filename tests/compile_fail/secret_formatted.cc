// refused by GNU: use of deleted function .*formatter.*Secret
// refused by Clang: deleted .*formatter
#include <fmt/format.h>

#include "base/secret.h"

std::string Format(const escagent::Secret& secret) {
#ifdef MISUSE
  return fmt::format("{}", secret);
#else
  return fmt::format("{}", secret.Size());
#endif
}
