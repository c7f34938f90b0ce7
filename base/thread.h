#pragma once

#include <string>
#include <thread>
#include <type_traits>
#include <utility>

namespace escagent {

// Names the calling thread (at most 15 characters are kept, pthread_setname_np).
void SetThreadName(const char* name);

// A std::jthread with a name. `body` takes a std::stop_token or nothing.
template <class Body>
std::jthread StartThread(const char* name, Body body) {
  return std::jthread([name, body = std::move(body)](std::stop_token stop) mutable {
    SetThreadName(name);
    if constexpr (std::is_invocable_v<Body&, std::stop_token>) {
      body(std::move(stop));
    } else {
      body();
    }
  });
}

}  // namespace escagent
