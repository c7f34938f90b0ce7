// refused: formatter<escagent::Secret.*(deleted|Cannot format)|Cannot format an argument
#include <spdlog/spdlog.h>

#include "base/secret.h"

void Write(const escagent::Secret& secret) {
#ifdef MISUSE
  spdlog::info("{}", secret);
#else
  spdlog::info("{}", secret.Size());
#endif
}
