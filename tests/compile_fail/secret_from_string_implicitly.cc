// Wrapping a string must be visible, as the string that it was copied from stays unwiped.
// refused: could not convert .*Secret|no viable conversion from .*Secret|converting to .*Secret.* from initializer list would use explicit constructor
#include "base/secret.h"

escagent::Secret Wrap(std::string_view text) {
#ifdef MISUSE
  return text;
#else
  return escagent::Secret(text);
#endif
}
