#pragma once

#include <httplib.h>

#include "tests/fakes/apiserver/backend.h"
#include "tests/fakes/apiserver/connection.h"

namespace escagent::apiserver {

// Answers one request: who it is, what it may, what goes wrong with it on purpose, and the handler
// of its verb. Called on the connection's thread.
void Dispatch(Backend& backend, const httplib::Request& request, httplib::Response& response,
              Connection& connection);

}  // namespace escagent::apiserver
