// Wrapping a string must be visible, as the string that it was copied from stays unwiped.
// refused by GNU: could not convert .*Secret
// refused by Clang: no viable conversion from returned value
#include "base/secret.h"

escagent::Secret Wrap(std::string_view text) {
#ifdef MISUSE
  return text;
#else
  return escagent::Secret(text);
#endif
}
