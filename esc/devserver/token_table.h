#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/secret.h"
#include "esc/devserver/identity.h"

namespace escagent::devserver {

// The access tokens that the server has issued, until they expire or are revoked. Only digests are
// kept. Thread-safe.
class TokenTable {
 public:
  // Beyond these, the token that expires first is dropped.
  static constexpr std::size_t kMaxTokens = 10000;

  // `clock` is borrowed.
  explicit TokenTable(const Clock& clock) : clock_(clock) {}
  TokenTable(const TokenTable&) = delete;
  TokenTable& operator=(const TokenTable&) = delete;

  Secret Issue(Identity identity, std::chrono::seconds lifetime);
  // Nothing for a token that was not issued, has expired or was revoked.
  std::optional<Identity> Find(std::string_view token);
  // Those of a login, that with an id (of ToJson), or all where both are empty. Gives their number.
  std::size_t Revoke(std::string_view login, std::string_view id);
  // [{"id", "login", "name", "organization", "team", "expiresIn": seconds}]: never a token.
  nlohmann::json ToJson();

 private:
  struct Entry {
    Identity identity;
    Clock::TimePoint expires;
  };

  void DropExpired() REQUIRES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  std::map<std::string, Entry> tokens_ GUARDED_BY(mutex_);  // by the SHA-256 of the token
};

}  // namespace escagent::devserver
