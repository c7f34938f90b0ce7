// refused: ignoring return(ed)? value .*unused-(result|value)
#include "base/result.h"

escagent::Status Write();

void Run() {
#ifdef MISUSE
  Write();
#else
  if (!Write()) return;
#endif
}
