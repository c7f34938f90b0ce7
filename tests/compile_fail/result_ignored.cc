// refused: ignoring return(ed)? value .*unused-(result|value)
#include "base/result.h"

escagent::Result<int> Compute();

void Run() {
#ifdef MISUSE
  Compute();
#else
  if (const auto result = Compute(); !result) return;
#endif
}
