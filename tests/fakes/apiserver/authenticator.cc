#include "tests/fakes/apiserver/authenticator.h"

#include <algorithm>
#include <utility>

#include "base/duration.h"
#include "base/json.h"
#include "base/strings.h"
#include "tests/fakes/apiserver/object_meta.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;
using std::chrono::system_clock;

constexpr const char* kIssuer = "https://kubernetes.default.svc";
constexpr std::chrono::seconds kDefaultLifetime{3600};

// Base64 for URLs, without padding (RFC 7515).
std::string Encode(std::string_view bytes) {
  SecretBuilder encoded;
  EncodeBase64(bytes, encoded);
  std::string text(encoded.Reveal());
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  while (text.ends_with('=')) text.pop_back();
  return text;
}

User AccountUser(const Object& account) {
  const std::string& name_space = account.name_space();
  return {.name = "system:serviceaccount:" + name_space + ":" + account.name(),
          .uid = account.uid(),
          .groups = {"system:serviceaccounts", "system:serviceaccounts:" + name_space,
                     "system:authenticated"}};
}

}  // namespace

void Authenticator::AddToken(const std::string& token, User user) {
  if (user.groups.empty()) user.groups.push_back("system:authenticated");
  MutexLock lock(mutex_);
  tokens_[token] = {
      .user = std::move(user), .audiences = {}, .end = system_clock::time_point::max()};
}

void Authenticator::RevokeToken(const std::string& token) {
  MutexLock lock(mutex_);
  tokens_.erase(token);
}

const Authenticator::Issued* Authenticator::FindLocked(const std::string& token) const {
  const auto found = tokens_.find(token);
  if (found == tokens_.end() || found->second.end <= system_clock::now()) return nullptr;
  return &found->second;
}

std::optional<User> Authenticator::Authenticate(const std::string& authorization,
                                                const Connection& connection) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (EqualsIgnoreCase(std::string_view(authorization).substr(0, kScheme.size()), kScheme)) {
    MutexLock lock(mutex_);
    const Issued* issued = FindLocked(authorization.substr(kScheme.size()));
    if (issued == nullptr) return std::nullopt;
    const auto& audiences = issued->audiences;
    const bool ours = audiences.empty() ||
                      std::find(audiences.begin(), audiences.end(), kIssuer) != audiences.end();
    return ours ? std::optional(issued->user) : std::nullopt;
  }
  if (std::string name = connection.PeerName(); !name.empty()) {
    User user{.name = std::move(name), .uid = {}, .groups = connection.PeerOrganizations()};
    user.groups.push_back("system:authenticated");
    return user;
  }
  if (!anonymous_ || !authorization.empty()) return std::nullopt;
  return User{.name = "system:anonymous", .uid = {}, .groups = {"system:unauthenticated"}};
}

json Authenticator::RequestToken(const Object& account, const json& request) {
  const json spec = request.value("spec", json::object());
  std::vector<std::string> audiences;
  for (const json& audience : spec.value("audiences", json::array())) {
    if (audience.is_string()) audiences.push_back(audience.get<std::string>());
  }
  if (audiences.empty()) audiences.emplace_back(kIssuer);
  const auto lifetime = std::chrono::seconds(
      spec.value("expirationSeconds", static_cast<std::int64_t>(kDefaultLifetime.count())));
  const auto now = system_clock::now();
  const User user = AccountUser(account);
  const json claims = {{"aud", audiences},
                       {"exp", system_clock::to_time_t(now + lifetime)},
                       {"iat", system_clock::to_time_t(now)},
                       {"nbf", system_clock::to_time_t(now)},
                       {"iss", kIssuer},
                       {"jti", MakeUid()},
                       {"sub", user.name},
                       {"kubernetes.io",
                        {{"namespace", account.name_space()},
                         {"serviceaccount", {{"name", account.name()}, {"uid", account.uid()}}}}}};
  // Nobody checks the signature: the server knows its tokens.
  const std::string token = Encode(R"({"alg":"RS256","kid":"fake"})") + "." +
                            Encode(DumpJson(claims)) + "." + Encode(MakeUid());
  {
    MutexLock lock(mutex_);
    tokens_[token] = {.user = user, .audiences = audiences, .end = now + lifetime};
  }
  json answer = request;
  answer["kind"] = "TokenRequest";
  answer["apiVersion"] = "authentication.k8s.io/v1";
  answer["metadata"] = {{"name", account.name()},
                        {"namespace", account.name_space()},
                        {"creationTimestamp", FormatTime(now)}};
  answer["spec"]["audiences"] = audiences;
  answer["spec"]["expirationSeconds"] = lifetime.count();
  answer["status"] = {{"token", token}, {"expirationTimestamp", FormatTime(now + lifetime)}};
  return answer;
}

json Authenticator::ReviewToken(const json& review) const {
  json answer = review;
  answer["kind"] = "TokenReview";
  answer["apiVersion"] = "authentication.k8s.io/v1";
  answer["metadata"] = {{"creationTimestamp", nullptr}};
  const json spec = review.value("spec", json::object());
  MutexLock lock(mutex_);
  const Issued* issued = FindLocked(spec.value("token", ""));
  std::vector<std::string> audiences;
  if (issued != nullptr) {
    const std::vector<std::string> own =
        issued->audiences.empty() ? std::vector<std::string>{kIssuer} : issued->audiences;
    std::vector<std::string> wanted;
    for (const json& audience : spec.value("audiences", json::array({kIssuer}))) {
      wanted.push_back(audience.get<std::string>());
    }
    for (const std::string& audience : own) {
      if (std::find(wanted.begin(), wanted.end(), audience) != wanted.end()) {
        audiences.push_back(audience);
      }
    }
  }
  if (audiences.empty()) {
    answer["status"] = {{"user", json::object()}, {"error", "invalid bearer token"}};
    return answer;
  }
  answer["status"] = {{"authenticated", true},
                      {"audiences", audiences},
                      {"user",
                       {{"username", issued->user.name},
                        {"uid", issued->user.uid},
                        {"groups", issued->user.groups}}}};
  return answer;
}

}  // namespace escagent::apiserver
