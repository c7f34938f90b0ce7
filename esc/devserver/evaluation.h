#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "esc/devserver/backend.h"
#include "esc/devserver/session_table.h"
#include "esc/property_path.h"

namespace escagent::devserver {

// How a definition is evaluated.
struct EvaluationOptions {
  eval::EvalMode mode = eval::EvalMode::kOpen;
  // kCheck: without it the static secrets of imports are unknown, as those of the definition are
  // that are ciphertext.
  bool show_secrets = false;
  // kRotate: which; empty: all.
  std::vector<esc::PropertyPath> rotate_paths{};
  // Imports that are read from other environments, by the name ("project/env[@version]") that
  // definitions import.
  std::map<std::string, std::string, std::less<>> overrides{};
};

// Evaluates a text as the definition of `environment` ("project/env"), with those environments of
// the organization for its imports that `identity` may open, and with the server's providers.
SessionTable::Snapshot Evaluate(Backend& backend, const Identity& identity,
                                const std::string& organization, std::string environment,
                                std::string_view text, EvaluationOptions options = {});

}  // namespace escagent::devserver
