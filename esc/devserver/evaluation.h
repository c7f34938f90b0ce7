#pragma once

#include <string>
#include <string_view>

#include "esc/devserver/backend.h"
#include "esc/devserver/session_table.h"

namespace escagent::devserver {

// Evaluates a text as the definition of `environment` ("project/env"), with those environments of
// the organization for its imports that `identity` may open.
SessionTable::Snapshot Evaluate(Backend& backend, const Identity& identity,
                                const std::string& organization, std::string environment,
                                std::string_view text);

}  // namespace escagent::devserver
