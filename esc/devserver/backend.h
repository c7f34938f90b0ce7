#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/curl_transport.h"
#include "base/secret.h"
#include "esc/devserver/definition_store.h"
#include "esc/devserver/faults.h"
#include "esc/devserver/oidc_issuer.h"
#include "esc/devserver/request_counters.h"
#include "esc/devserver/session_table.h"
#include "esc/devserver/token_table.h"
#include "esc/devserver/webhook_sender.h"

namespace escagent::devserver {

// What the handlers work on. Every part is thread-safe by itself.
struct Backend {
  // `state_folder` as DefinitionStore has it.
  Backend(const std::string& directory, const std::string& state_folder, Clock& clock_to_use)
      : clock(clock_to_use),
        definitions(directory, clock, state_folder),
        sessions(clock),
        tokens(clock),
        webhooks(definitions, clock, transport) {}

  Clock& clock;
  CurlTransport transport{
      CurlTransport::Options{.user_agent = "esc-agent-dev-server", .allow_plain_http = true}};
  DefinitionStore definitions;
  SessionTable sessions;
  TokenTable tokens;
  WebhookSender webhooks;  // uses those before
  Faults faults;
  RequestCounters counters;
  std::optional<OidcIssuer> oidc;
  std::optional<Secret> token;
  std::chrono::milliseconds default_session{0};
  bool answer_200 = false;  // where ESC answers 204
};

}  // namespace escagent::devserver
