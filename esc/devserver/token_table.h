#pragma once

#include <chrono>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/devserver/identity.h"
#include "esc/devserver/shared_document.h"

namespace escagent::devserver {

// The access tokens that the server has issued, until they expire or are revoked. Only digests are
// kept: in a file, as SharedDocument has it, so that they outlive the server. Thread-safe.
class TokenTable {
 public:
  // Beyond these, the token that expires first is dropped.
  static constexpr std::size_t kMaxTokens = 10000;

  // `clock` is borrowed. An empty `file`: tokens live as long as this.
  explicit TokenTable(const Clock& clock, std::string file = "")
      : clock_(clock), document_(std::move(file)) {}
  TokenTable(const TokenTable&) = delete;
  TokenTable& operator=(const TokenTable&) = delete;

  Result<Secret> Issue(const Identity& identity, std::chrono::seconds lifetime);
  // Nothing for a token that was not issued, has expired or was revoked.
  std::optional<Identity> Find(std::string_view token);
  // Those of a login, that with an id (of ToJson), or all where both are empty. Gives their number.
  Result<std::size_t> Revoke(std::string_view login, std::string_view id);
  // [{"id", "login", "name", "organization", "team", "expiresIn": seconds}]: never a token.
  nlohmann::json ToJson();

 private:
  void DropExpired(nlohmann::json& tokens) const;

  const Clock& clock_;
  SharedDocument document_;  // by the SHA-256 of the token
};

}  // namespace escagent::devserver
