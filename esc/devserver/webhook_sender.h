#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/http.h"
#include "base/mutex.h"
#include "base/secret.h"
#include "esc/devserver/definition_store.h"
#include "esc/devserver/organization_webhooks.h"
#include "esc/devserver/webhook.h"

namespace escagent::devserver {

// One try to tell a webhook something.
struct WebhookDelivery {
  std::string id;
  std::string kind;
  std::string payload;
  std::string url;
  Clock::WallTime at{};
  std::chrono::milliseconds duration{0};
  int status = 0;        // 0: no answer
  std::string answer{};  // its body, or why there was none; cut
};

// Lower-case hex of HMAC-SHA256: the header Pulumi-Webhook-Signature.
std::string SignatureOf(const Secret& secret, std::string_view payload);

// Tells webhooks what happens in the store (reference/esc-api.md (a)): those of the environment, of
// its organization, and one for all organizations that the server was started with. A change of an
// environment is also "imported_environment_changed" of all that import it, however far. Edits on
// disk are looked for while there are webhooks.
//
// Sends on a thread of its own, in order; what fails is tried again kTries times in all.
// Thread-safe.
class WebhookSender {
 public:
  static constexpr int kTries = 3;
  static constexpr std::chrono::milliseconds kRetryDelay{500};
  static constexpr std::chrono::milliseconds kWatchInterval{500};
  static constexpr std::size_t kMaxDeliveries = 50;  // remembered of each webhook
  static constexpr std::size_t kMaxWaiting = 10000;  // events; the oldest are dropped

  // All are borrowed. Sets the store's listener.
  WebhookSender(DefinitionStore& store, OrganizationWebhooks& organizations, Clock& clock,
                HttpTransport& transport);
  // Drops what was not sent.
  ~WebhookSender();
  WebhookSender(const WebhookSender&) = delete;
  WebhookSender& operator=(const WebhookSender&) = delete;

  // Starts to send. `global` is told of every environment.
  void Start(std::optional<Webhook> global);
  // There is a webhook from now on: edits on disk are looked for.
  void Watch();

  // These are about a webhook of an environment or, without project and environment, of an
  // organization. Ping() sends at once, and once; Deliveries() has the newest first.
  WebhookDelivery Ping(const esc::EnvironmentRef& owner, const std::string& name,
                       const Webhook& webhook);
  std::vector<WebhookDelivery> Deliveries(const esc::EnvironmentRef& owner,
                                          const std::string& name) const;

 private:
  struct Message {
    esc::EnvironmentRef ref;
    std::string kind;
    nlohmann::json payload;
  };

  void Enqueue(const StoreEvent& event);
  void Send(const std::stop_token& stop);
  std::optional<StoreEvent> Next(const std::stop_token& stop);
  std::vector<Message> MessagesFor(const StoreEvent& event);
  void DeliverAll(const Message& message, const esc::EnvironmentRef& owner,
                  const Webhooks& webhooks, const std::stop_token& stop);
  void Deliver(const Message& message, const esc::EnvironmentRef& owner, const std::string& name,
               const Webhook& webhook, const std::stop_token& stop);
  WebhookDelivery Try(const Message& message, const std::string& id, const Webhook& webhook,
                      const std::stop_token& stop);
  void Remember(const esc::EnvironmentRef& owner, const std::string& name,
                WebhookDelivery delivery);
  void LookForEdits(const std::stop_token& stop);

  DefinitionStore& store_;
  OrganizationWebhooks& organizations_;
  Clock& clock_;
  HttpTransport& transport_;
  std::optional<Webhook> global_;  // not changed after Start()
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<StoreEvent> waiting_ GUARDED_BY(mutex_);
  std::map<std::string, std::deque<WebhookDelivery>> deliveries_ GUARDED_BY(mutex_);
  bool watching_ GUARDED_BY(mutex_) = false;
  std::jthread watcher_ GUARDED_BY(mutex_);
  std::jthread sender_;
};

}  // namespace escagent::devserver
