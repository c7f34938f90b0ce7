#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "tests/fakes/apiserver/connection.h"
#include "tests/fakes/apiserver/object.h"

namespace escagent::apiserver {

// Who makes a request.
struct User {
  std::string name;
  std::string uid{};
  std::vector<std::string> groups{};
};

// Knows who makes a request: by a bearer token, by the client's certificate, or, when that is
// allowed, as system:anonymous. Makes the tokens of service accounts. Thread-safe.
class Authenticator {
 public:
  Authenticator() = default;
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;

  void AllowAnonymous(bool on) { anonymous_ = on; }
  // A token without an end.
  void AddToken(const std::string& token, User user);
  // Tokens given back are refused from then on.
  void RevokeToken(const std::string& token);

  // `authorization` is the header. Nothing: 401.
  std::optional<User> Authenticate(const std::string& authorization,
                                   const Connection& connection) const;

  // What the TokenRequest subresource of a service account answers; `request` is its body.
  nlohmann::json RequestToken(const Object& service_account, const nlohmann::json& request);
  // What a TokenReview answers.
  nlohmann::json ReviewToken(const nlohmann::json& review) const;

 private:
  struct Issued {
    User user;
    std::vector<std::string> audiences;  // empty: the API server's own
    std::chrono::system_clock::time_point end;
  };
  const Issued* FindLocked(const std::string& token) const REQUIRES(mutex_);

  bool anonymous_ = false;  // set before the server starts
  mutable Mutex mutex_;
  std::map<std::string, Issued, std::less<>> tokens_ GUARDED_BY(mutex_);
};

}  // namespace escagent::apiserver
