#include "agent/freshness/webhook_receiver.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/json_fields.h"
#include "base/log.h"
#include "base/result.h"

namespace escagent::freshness {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSecret = 4096;
constexpr std::size_t kRemembered = 1024;
constexpr std::size_t kMaxId = 128;
// Beginnings of the kinds after which values may be others.
constexpr std::array<std::string_view, 4> kKinds = {"environment_revision_",
                                                    "imported_environment_changed",
                                                    "environment_created", "environment_deleted"};

bool TellsOfAChange(std::string_view kind) {
  return std::ranges::any_of(kKinds,
                             [kind](std::string_view start) { return kind.starts_with(start); });
}

std::optional<esc::EnvironmentRef> EnvironmentOf(std::string_view body) {
  const Result<json> parsed = ParseJson(body, "webhook");
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const auto organization = parsed->find("organization");
  if (organization == parsed->end() || !organization->is_object()) return std::nullopt;
  auto ref = esc::EnvironmentRef::Parse(StringMember(*organization, "githubLogin") + "/" +
                                        StringMember(*parsed, "projectName") + "/" +
                                        StringMember(*parsed, "environmentName"));
  if (!ref) return std::nullopt;
  ref->version.clear();
  return *std::move(ref);
}

}  // namespace

std::string WebhookSignature(const Secret& secret, std::string_view body) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const std::string_view key = secret.Reveal();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest.data(), &size);
  std::string hex;
  for (std::size_t i = 0; i < size; ++i) {
    hex.push_back(kHex[digest.at(i) >> 4U]);
    hex.push_back(kHex[digest.at(i) & 15U]);
  }
  return hex;
}

WebhookReceiver::WebhookReceiver(std::string secret_file, OnChange on_change)
    : secret_file_(std::move(secret_file)), on_change_(std::move(on_change)) {}

int WebhookReceiver::Receive(const WebhookRequest& request) {
  if (request.body.size() > kMaxWebhookBody) return Count(&Stats::too_large, 413);
  const Result<Secret> text = ReadFile(secret_file_, kMaxSecret);
  if (!text) {
    LogWarning("webhooks are refused: their secret cannot be read",
               {{log_key::kError, text.error()}});
    return Count(&Stats::no_secret, 401);
  }
  // Editors end files with a line break.
  std::string_view secret_text = text->Reveal();
  while (secret_text.ends_with('\n') || secret_text.ends_with('\r')) secret_text.remove_suffix(1);
  // An empty secret would be everybody's.
  if (secret_text.empty()) return Count(&Stats::no_secret, 401);
  const std::string expected = WebhookSignature(Secret(secret_text), request.body);
  std::string given = request.signature;
  std::ranges::transform(given, given.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (given.size() != expected.size() ||
      CRYPTO_memcmp(given.data(), expected.data(), expected.size()) != 0) {
    return Count(&Stats::wrongly_signed, 401);
  }
  if (!TellsOfAChange(request.kind)) return Count(&Stats::ignored, 200);
  const std::optional<esc::EnvironmentRef> ref = EnvironmentOf(request.body);
  if (!ref) return Count(&Stats::malformed, 400);
  // The headers are not signed: who sends a body again under another id is known by its signature,
  // which names the moment that the body tells of.
  const std::string id = request.id.empty() ? expected : request.id.substr(0, kMaxId);
  const bool is_new = Remember(id);
  if (!Remember(expected) || !is_new) return Count(&Stats::replayed, 200);
  on_change_(*ref, id);
  return Count(&Stats::accepted, 200);
}

bool WebhookReceiver::Remember(const std::string& delivery) {
  MutexLock lock(mutex_);
  if (!seen_.insert(delivery).second) return false;
  order_.push_back(delivery);
  if (order_.size() > 2 * kRemembered) {
    seen_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

int WebhookReceiver::Count(std::uint64_t Stats::* counter, int status) {
  MutexLock lock(mutex_);
  ++(stats_.*counter);
  return status;
}

WebhookReceiver::Stats WebhookReceiver::GetStats() const {
  MutexLock lock(mutex_);
  return stats_;
}

}  // namespace escagent::freshness
