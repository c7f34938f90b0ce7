// A copy of a Secret must be a visible Clone().
// refused by GNU: use of deleted function .*Secret\(const escagent::Secret&\)
// refused by Clang: call to deleted constructor of .*Secret
#include "base/secret.h"

escagent::Secret Copy(const escagent::Secret& secret) {
#ifdef MISUSE
  return secret;
#else
  return secret.Clone();
#endif
}
