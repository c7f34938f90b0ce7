#pragma once

#include <string>
#include <string_view>

#include "esc/devserver/backend.h"
#include "esc/devserver/session_table.h"

namespace escagent::devserver {

// Evaluates a text as the definition of `environment` ("project/env"), with the environments of the
// organization for its imports.
SessionTable::Snapshot Evaluate(Backend& backend, const std::string& organization,
                                std::string environment, std::string_view text);

}  // namespace escagent::devserver
