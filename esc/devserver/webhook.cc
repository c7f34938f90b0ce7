#include "esc/devserver/webhook.h"

#include "esc/devserver/stored_json.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

json ToJson(const Webhook& webhook) {
  json stored = {{"displayName", webhook.display_name},
                 {"url", webhook.url},
                 {"format", webhook.format},
                 {"active", webhook.active},
                 {"filters", webhook.filters},
                 {"groups", webhook.groups}};
  if (webhook.secret) stored["secret"] = std::string(webhook.secret->Reveal());
  return stored;
}

bool Read(const json& stored, Webhook& webhook) {
  if (!HasShape(stored, {{"displayName", ""},
                         {"url", ""},
                         {"format", ""},
                         {"active", true},
                         {"filters", json::array()},
                         {"groups", json::array()},
                         {"secret", ""}})) {
    return false;
  }
  webhook.display_name = stored.value("displayName", "");
  webhook.url = stored.value("url", "");
  webhook.format = stored.value("format", "raw");
  webhook.active = stored.value("active", true);
  if (stored.contains("secret")) {
    webhook.secret = std::make_shared<const Secret>(stored.value("secret", ""));
  }
  return ReadTexts(stored, "filters", webhook.filters) &&
         ReadTexts(stored, "groups", webhook.groups);
}

}  // namespace

json StoredWebhooks(const Webhooks& webhooks) {
  json stored = json::object();
  for (const auto& [name, webhook] : webhooks) stored[name] = ToJson(webhook);
  return stored;
}

bool ReadWebhooks(const json& stored, Webhooks& webhooks) {
  if (!stored.is_object()) return false;
  for (auto member = stored.begin(); member != stored.end(); ++member) {
    if (!Read(member.value(), webhooks[member.key()])) return false;
  }
  return true;
}

}  // namespace escagent::devserver
