#pragma once

#include <chrono>
#include <cstddef>
#include <stop_token>

#include "base/clock.h"
#include "tests/fakes/apiserver/authenticator.h"
#include "tests/fakes/apiserver/faults.h"
#include "tests/fakes/apiserver/object_remover.h"
#include "tests/fakes/apiserver/object_writer.h"
#include "tests/fakes/apiserver/rbac.h"
#include "tests/fakes/apiserver/registry.h"
#include "tests/fakes/apiserver/request_log.h"
#include "tests/fakes/apiserver/store.h"

namespace escagent::apiserver {

// The parts that the handlers of a server share. Thread-safe, as all of them are; what is not a
// part is set before the server starts.
struct Backend {
  explicit Backend(std::size_t history) : store(history) {}

  Store store;
  Registry registry;
  ObjectWriter writer{store, registry};
  ObjectRemover remover{store, registry, writer};
  Faults faults;
  RequestLog log;
  Authenticator authenticator;
  Rbac rbac{store};
  SystemClock clock;
  std::stop_source stop;

  bool enforce_rbac = false;
  std::chrono::milliseconds bookmark_interval{60000};
};

}  // namespace escagent::apiserver
