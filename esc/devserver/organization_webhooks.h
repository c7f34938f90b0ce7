#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "esc/devserver/shared_document.h"
#include "esc/devserver/webhook.h"

namespace escagent::devserver {

// The webhooks of organizations, which are told of all their environments. Kept in a file as
// SharedDocument has it. Thread-safe.
class OrganizationWebhooks {
 public:
  explicit OrganizationWebhooks(std::string file) : document_(std::move(file)) {}

  Webhooks Of(const std::string& organization);
  // The webhooks after the change; nothing is kept when it fails.
  Result<Webhooks> Modify(const std::string& organization,
                          const std::function<Status(Webhooks&)>& change);
  // Whether any organization has one.
  bool Any() { return !document_.Now()->empty(); }

 private:
  SharedDocument document_;
};

}  // namespace escagent::devserver
