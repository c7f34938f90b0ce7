// refused by GNU: use of deleted function .*formatter.*Secret
// refused by Clang: deleted .*formatter
#include <spdlog/spdlog.h>

#include "base/secret.h"

void Write(const escagent::Secret& secret) {
#ifdef MISUSE
  spdlog::info("{}", secret);
#else
  spdlog::info("{}", secret.Size());
#endif
}
