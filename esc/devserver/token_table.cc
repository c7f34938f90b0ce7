#include "esc/devserver/token_table.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "esc/devserver/random.h"

namespace escagent::devserver {
namespace {

constexpr std::size_t kTokenBytes = 20;
// As much of the digest as tells tokens apart and is no use for anything else.
constexpr std::size_t kIdLength = 12;

std::string IdOf(const std::string& digest) { return digest.substr(0, kIdLength); }

}  // namespace

Secret TokenTable::Issue(Identity identity, std::chrono::seconds lifetime) {
  Secret token("pul-" + RandomHex(kTokenBytes));
  MutexLock lock(mutex_);
  DropExpired();
  if (tokens_.size() >= kMaxTokens) {
    tokens_.erase(std::ranges::min_element(tokens_, {},
                                           [](const auto& entry) { return entry.second.expires; }));
  }
  tokens_[Sha256Hex(token.Reveal())] = {.identity = std::move(identity),
                                        .expires = clock_.Now() + lifetime};
  return token;
}

std::optional<Identity> TokenTable::Find(std::string_view token) {
  const std::string digest = Sha256Hex(token);
  MutexLock lock(mutex_);
  DropExpired();
  const auto found = tokens_.find(digest);
  if (found == tokens_.end()) return std::nullopt;
  return found->second.identity;
}

std::size_t TokenTable::Revoke(std::string_view login, std::string_view id) {
  MutexLock lock(mutex_);
  return std::erase_if(tokens_, [&](const auto& entry) {
    return (login.empty() || entry.second.identity.login == login) &&
           (id.empty() || IdOf(entry.first) == id);
  });
}

nlohmann::json TokenTable::ToJson() {
  MutexLock lock(mutex_);
  DropExpired();
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [digest, entry] : tokens_) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(entry.expires - clock_.Now());
    list.push_back({{"id", IdOf(digest)},
                    {"login", entry.identity.login},
                    {"name", entry.identity.token_name},
                    {"organization", entry.identity.organization},
                    {"team", entry.identity.team},
                    {"expiresIn", left.count()}});
  }
  return list;
}

void TokenTable::DropExpired() {
  const Clock::TimePoint now = clock_.Now();
  std::erase_if(tokens_, [now](const auto& entry) { return entry.second.expires <= now; });
}

}  // namespace escagent::devserver
