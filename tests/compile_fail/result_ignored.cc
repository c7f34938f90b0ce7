// refused by GNU: ignoring returned value .*unused-result
// refused by Clang: ignoring return value .*unused-result
#include "base/result.h"

escagent::Result<int> Compute();

void Run() {
#ifdef MISUSE
  Compute();
#else
  if (const auto result = Compute(); !result) return;
#endif
}
