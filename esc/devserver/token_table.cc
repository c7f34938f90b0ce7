#include "esc/devserver/token_table.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/strings.h"
#include "esc/devserver/random.h"
#include "esc/devserver/stored_json.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

constexpr std::size_t kTokenBytes = 20;
// As much of the digest as tells tokens apart and is no use for anything else.
constexpr std::size_t kIdLength = 12;
constexpr const char* kExpires = "expires";

std::string IdOf(const std::string& digest) { return digest.substr(0, kIdLength); }

json Stored(const Identity& identity, Clock::WallTime expires) {
  return {{"login", identity.login},
          {"userId", identity.user_id},
          {"name", identity.token_name},
          {"organization", identity.organization},
          {"team", identity.team},
          {"environments", identity.environments},
          {"permission", static_cast<int>(identity.permission)},
          {kExpires, StoredTime(expires)}};
}

// Whether everything is there that says what a token is good for: less would be good for more.
bool IsWhole(const json& token) {
  static constexpr std::array kMembers = {"login", "userId",       "name",       "organization",
                                          "team",  "environments", "permission", kExpires};
  return HasShape(token, {{"login", ""},
                          {"userId", ""},
                          {"name", ""},
                          {"organization", ""},
                          {"team", ""},
                          {"environments", json::array()},
                          {"permission", 0},
                          {kExpires, 0}}) &&
         std::ranges::all_of(kMembers, [&](const char* member) { return token.contains(member); });
}

std::optional<Identity> ReadIdentity(const json& token) {
  Identity identity{.login = token.value("login", ""),
                    .user_id = token.value("userId", ""),
                    .token_name = token.value("name", ""),
                    .organization = token.value("organization", ""),
                    .team = token.value("team", "")};
  if (!ReadTexts(token, "environments", identity.environments)) return std::nullopt;
  switch (token.value("permission", -1)) {
    case static_cast<int>(Permission::kRead):
      identity.permission = Permission::kRead;
      return identity;
    case static_cast<int>(Permission::kOpen):
      identity.permission = Permission::kOpen;
      return identity;
    case static_cast<int>(Permission::kWrite):
      identity.permission = Permission::kWrite;
      return identity;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<Secret> TokenTable::Issue(const Identity& identity, std::chrono::seconds lifetime) {
  Secret token("pul-" + RandomHex(kTokenBytes));
  ESC_RETURN_IF_ERROR(document_.Change([&](json& tokens) -> Status {
    DropExpired(tokens);
    if (tokens.size() >= kMaxTokens) {
      tokens.erase(std::min_element(tokens.begin(), tokens.end(), [](const json& a, const json& b) {
        return TimeOf(a, kExpires) < TimeOf(b, kExpires);
      }));
    }
    tokens[Sha256Hex(token.Reveal())] = Stored(identity, clock_.WallNow() + lifetime);
    return {};
  }));
  return token;
}

std::optional<Identity> TokenTable::Find(std::string_view token) {
  const SharedDocument::Snapshot tokens = document_.Now();
  const auto found = tokens->find(Sha256Hex(token));
  if (found == tokens->end() || !IsWhole(*found)) return std::nullopt;
  if (TimeOf(*found, kExpires) <= clock_.WallNow()) return std::nullopt;
  return ReadIdentity(*found);
}

Result<std::size_t> TokenTable::Revoke(std::string_view login, std::string_view id) {
  std::size_t revoked = 0;
  ESC_RETURN_IF_ERROR(document_.Change([&](json& tokens) -> Status {
    DropExpired(tokens);
    for (auto token = tokens.begin(); token != tokens.end();) {
      const bool meant = (login.empty() || token->value("login", "") == login) &&
                         (id.empty() || IdOf(token.key()) == id);
      revoked += meant ? 1 : 0;
      token = meant ? tokens.erase(token) : std::next(token);
    }
    return {};
  }));
  return revoked;
}

json TokenTable::ToJson() {
  json tokens = *document_.Now();
  DropExpired(tokens);
  json list = json::array();
  for (auto token = tokens.begin(); token != tokens.end(); ++token) {
    const auto left =
        std::chrono::ceil<std::chrono::seconds>(TimeOf(token.value(), kExpires) - clock_.WallNow());
    list.push_back({{"id", IdOf(token.key())},
                    {"login", token->value("login", "")},
                    {"name", token->value("name", "")},
                    {"organization", token->value("organization", "")},
                    {"team", token->value("team", "")},
                    {"expiresIn", left.count()}});
  }
  return list;
}

void TokenTable::DropExpired(json& tokens) const {
  const Clock::WallTime now = clock_.WallNow();
  for (auto token = tokens.begin(); token != tokens.end();) {
    const bool good = IsWhole(token.value()) && TimeOf(token.value(), kExpires) > now;
    token = good ? std::next(token) : tokens.erase(token);
  }
}

}  // namespace escagent::devserver
