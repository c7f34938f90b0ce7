#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/secret.h"
#include "esc/environment_ref.h"

namespace escagent::freshness {

// A webhook as it came (reference/esc-api.md "Cheap change detection").
struct WebhookRequest {
  std::string id;         // Pulumi-Webhook-ID
  std::string kind;       // Pulumi-Webhook-Kind
  std::string signature;  // Pulumi-Webhook-Signature
  std::string body;
};

// More than this is no webhook of ESC's.
inline constexpr std::size_t kMaxWebhookBody = 64 * 1024;

// Takes ESC's webhooks: checks the signature (hex HMAC-SHA256 of the body under the shared secret,
// compared in constant time), remembers deliveries so that one sent again does nothing, and says
// which environment has changed. Kinds that tell of no change are accepted and left.
//
// Thread-safe. The secret is read from its file for each webhook, so that it can be exchanged.
class WebhookReceiver {
 public:
  // Called without locks held; must not block. `id`: of the delivery.
  using OnChange = std::function<void(const esc::EnvironmentRef& ref, const std::string& id)>;

  struct Stats {
    std::uint64_t accepted = 0;
    std::uint64_t replayed = 0;  // came before; 200
    std::uint64_t ignored = 0;   // of a kind that tells of no change; 200
    std::uint64_t wrongly_signed = 0;
    std::uint64_t no_secret = 0;  // the secret's file cannot be read, or is empty
    std::uint64_t too_large = 0;
    std::uint64_t malformed = 0;  // signed, but says nothing
  };

  WebhookReceiver(std::string secret_file, OnChange on_change);

  // The HTTP status: 200; 401 for a wrong signature (or no readable secret); 400 for a body that is
  // signed but says nothing; 413.
  int Receive(const WebhookRequest& request) EXCLUDES(mutex_);
  Stats GetStats() const EXCLUDES(mutex_);

 private:
  // Whether this delivery is new.
  bool Remember(const std::string& delivery) EXCLUDES(mutex_);
  int Count(std::uint64_t Stats::* counter, int status) EXCLUDES(mutex_);

  const std::string secret_file_;
  const OnChange on_change_;
  mutable Mutex mutex_;
  std::deque<std::string> order_ GUARDED_BY(mutex_);
  std::set<std::string> seen_ GUARDED_BY(mutex_);
  Stats stats_ GUARDED_BY(mutex_);
};

// The hex HMAC-SHA256 of `body` under `secret`.
std::string WebhookSignature(const Secret& secret, std::string_view body);

}  // namespace escagent::freshness
