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
#include "esc/devserver/organization_webhooks.h"
#include "esc/devserver/request_counters.h"
#include "esc/devserver/secret_codec.h"
#include "esc/devserver/session_table.h"
#include "esc/devserver/token_table.h"
#include "esc/devserver/webhook_sender.h"
#include "esc/eval/provider.h"

namespace escagent::devserver {

// What the handlers work on. Every part is thread-safe by itself.
struct Backend {
  // `state_folder` as DefinitionStore has it; `key` as SecretCodec.
  Backend(const std::string& directory, const std::string& state_folder, const Secret& key,
          Clock& clock_to_use)
      : clock(clock_to_use),
        secrets(key),
        definitions(directory, clock, state_folder),
        sessions(clock),
        tokens(clock, FileIn(state_folder, "tokens.json")),
        organization_webhooks(FileIn(state_folder, "organizations.json")),
        webhooks(definitions, organization_webhooks, clock, transport) {}

  Clock& clock;
  CurlTransport transport{
      CurlTransport::Options{.user_agent = "esc-agent-dev-server", .allow_plain_http = true}};
  SecretCodec secrets;
  eval::ProviderRegistry providers;  // filled before requests come
  DefinitionStore definitions;
  SessionTable sessions;
  TokenTable tokens;
  OrganizationWebhooks organization_webhooks;
  WebhookSender webhooks;  // uses those before
  Faults faults;
  RequestCounters counters;
  std::optional<OidcIssuer> oidc;
  std::optional<Secret> token;
  std::chrono::milliseconds default_session{0};
  bool answer_200 = false;  // where ESC answers 204

 private:
  static std::string FileIn(const std::string& folder, const char* name) {
    return folder.empty() ? "" : folder + "/" + name;
  }
};

}  // namespace escagent::devserver
