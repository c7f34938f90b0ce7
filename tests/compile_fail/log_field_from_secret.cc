// A log field takes a closed set of types.
// refused by GNU: no matching function for call to .*LogField::LogField
// refused by Clang: no matching constructor for .*LogField
#include "base/log.h"
#include "base/secret.h"

void Write(const escagent::Secret& secret) {
#ifdef MISUSE
  const escagent::LogField field(escagent::log_key::kCount, secret);
#else
  const escagent::LogField field(escagent::log_key::kCount, secret.Size());
#endif
  escagent::LogInfo("x", {field});
}
