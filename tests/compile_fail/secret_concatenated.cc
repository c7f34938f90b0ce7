// Building a message from a Secret must not compile.
// refused by GNU: no match for .*operator\+
// refused by Clang: invalid operands to binary expression
#include "base/secret.h"

std::string Message(const escagent::Secret& secret) {
#ifdef MISUSE
  return std::string("token ") + secret;
#else
  return std::string("token of size ") + std::to_string(secret.Size());
#endif
}
