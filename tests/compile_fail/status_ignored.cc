// refused by GNU: ignoring returned value .*unused-result
// refused by Clang: ignoring return value .*unused-result
#include "base/result.h"

escagent::Status Write();

void Run() {
#ifdef MISUSE
  Write();
#else
  if (!Write()) return;
#endif
}
