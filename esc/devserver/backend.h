#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/secret.h"
#include "esc/devserver/definition_store.h"
#include "esc/devserver/faults.h"
#include "esc/devserver/oidc_issuer.h"
#include "esc/devserver/request_counters.h"
#include "esc/devserver/session_table.h"
#include "esc/devserver/token_table.h"

namespace escagent::devserver {

// What the handlers work on. Every part is thread-safe by itself.
struct Backend {
  // `state_folder` as DefinitionStore has it.
  Backend(const std::string& directory, const std::string& state_folder, const Clock& clock_to_use)
      : clock(clock_to_use),
        definitions(directory, clock, state_folder),
        sessions(clock),
        tokens(clock) {}

  const Clock& clock;
  DefinitionStore definitions;
  SessionTable sessions;
  TokenTable tokens;
  Faults faults;
  RequestCounters counters;
  std::optional<OidcIssuer> oidc;
  std::optional<Secret> token;
  std::chrono::milliseconds default_session{0};
  bool answer_200 = false;  // where ESC answers 204
};

}  // namespace escagent::devserver
