#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/secret.h"

namespace escagent::devserver {

// A URL that is told of changes (reference/esc-api.md (a), webhooks).
struct Webhook {
  std::string display_name{};
  std::string url{};
  std::string format = "raw";
  bool active = true;
  std::vector<std::string> filters{};  // kinds of events; empty: all
  std::vector<std::string> groups{};
  std::shared_ptr<const Secret> secret{};  // may be null
};

// By their names.
using Webhooks = std::map<std::string, Webhook>;

// As they are kept. For the owner's eyes only: the secrets are in it.
nlohmann::json StoredWebhooks(const Webhooks& webhooks);
// False for what StoredWebhooks() has not written.
bool ReadWebhooks(const nlohmann::json& stored, Webhooks& webhooks);

}  // namespace escagent::devserver
