#include "base/thread.h"

#include <pthread.h>

namespace escagent {

void SetThreadName(const char* name) {
  const std::string short_name = std::string(name).substr(0, 15);
  pthread_setname_np(pthread_self(), short_name.c_str());
}

}  // namespace escagent
