#include "esc/devserver/organization_webhooks.h"

#include <utility>

namespace escagent::devserver {
namespace {

using nlohmann::json;

Webhooks Read(const json& document, const std::string& organization) {
  Webhooks webhooks;
  const auto stored = document.find(organization);
  // What somebody else has written there is none.
  if (stored != document.end() && !ReadWebhooks(*stored, webhooks)) return {};
  return webhooks;
}

}  // namespace

Webhooks OrganizationWebhooks::Of(const std::string& organization) {
  return Read(*document_.Now(), organization);
}

Result<Webhooks> OrganizationWebhooks::Modify(const std::string& organization,
                                              const std::function<Status(Webhooks&)>& change) {
  Webhooks webhooks;
  const Status kept = document_.Change([&](json& document) -> Status {
    webhooks = Read(document, organization);
    ESC_RETURN_IF_ERROR(change(webhooks));
    if (webhooks.empty()) {
      document.erase(organization);
    } else {
      document[organization] = StoredWebhooks(webhooks);
    }
    return {};
  });
  if (!kept) return std::unexpected(kept.error());
  return webhooks;
}

}  // namespace escagent::devserver
