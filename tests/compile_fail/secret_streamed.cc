// refused by GNU: use of deleted function .*operator<<
// refused by Clang: selected deleted operator '<<'
#include <ostream>

#include "base/secret.h"

void Print(std::ostream& out, const escagent::Secret& secret) {
#ifdef MISUSE
  out << secret;
#else
  out << secret.Size();
#endif
}
