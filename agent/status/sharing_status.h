#pragma once

#include <optional>

#include "agent/freshness/change_relay.h"
#include "agent/freshness/probe_sharing.h"
#include "agent/freshness/shared_heads.h"
#include "agent/freshness/webhook_receiver.h"

namespace escagent::status {

// How this agent and the others tell each other what has changed.
struct SharingStatus {
  freshness::SharedHeads::Stats heads;
  // Nothing while this agent does not share.
  std::optional<freshness::ProbeSharing::Stats> probes;
  // Nothing without webhooks.
  std::optional<freshness::WebhookReceiver::Stats> webhooks;
  std::optional<freshness::ChangeRelay::Stats> relay;
};

}  // namespace escagent::status
