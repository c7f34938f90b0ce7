// == takes a time that tells how much of a guess is right; Equals does not.
// refused by GNU: use of deleted function .*operator==
// refused by Clang: selected deleted operator '=='
#include "base/secret.h"

bool Same(const escagent::Secret& a, const escagent::Secret& b) {
#ifdef MISUSE
  return a == b;
#else
  return a.Equals(b);
#endif
}
