#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/http.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/api.h"
#include "esc/environment_ref.h"
#include "esc/token_source.h"
#include "esc/value.h"

namespace escagent::esc {

// Api over ESC's REST interface (reference/esc-api.md (a)). Makes one request for each call and
// does not retry, but for a renewed token: the cache does, with its own backoff.
//
// An answer with status 200 that is not what the API describes (cut off, a proxy's page, JSON of
// another shape) is UNAVAILABLE: whoever has an earlier value keeps it and tries again.
// Thread-safe. Borrows the transport and the clock, which outlive it.
class Client final : public Api {
 public:
  struct Options {
    // "https://api.pulumi.com/api/esc"; the "/api/esc" may be left out (PULUMI_BACKEND_URL) and
    // slashes may follow. Plain http is the transport's business.
    std::string api_url;
    // The access token. Null with `tokens`.
    std::shared_ptr<const Secret> token{};
    // Where the token of each request comes from, for one that is renewed. A request that ESC
    // answers with 401 is repeated once, with the next token.
    std::shared_ptr<TokenSource> tokens{};
    std::chrono::milliseconds connect_timeout{3000};
    std::chrono::milliseconds total_timeout{10000};
  };

  Client(Options options, HttpTransport& transport, const Clock& clock);

  Result<OpenSession> Open(const EnvironmentRef& ref, std::chrono::seconds duration,
                           std::stop_token stop) override;
  Result<Value> ReadSession(const EnvironmentRef& ref, std::string_view session_id,
                            std::stop_token stop) override;
  Result<Value> ReadProperty(const EnvironmentRef& ref, std::string_view session_id,
                             std::string_view property_path, std::stop_token stop) override;
  Result<std::vector<EnvironmentRef>> ReadContributors(const EnvironmentRef& ref,
                                                       std::string_view session_id,
                                                       std::stop_token stop) override;
  // Without a version (or with the built-in tag "latest"): HEAD of the environment. With a revision
  // number: the same HEAD, so that a deleted environment or a revoked token is noticed, but the
  // answer is always that revision, which never changes. With another tag: GET versions/tags/{tag}
  // for the revision that it names now. There is no ETag in the last two.
  Result<EnvironmentHead> Head(const EnvironmentRef& ref, std::stop_token stop) override;
  Result<Definition> GetDefinition(const EnvironmentRef& ref, std::stop_token stop) override;
  Result<Definition> GetDecryptedDefinition(const EnvironmentRef& ref,
                                            std::stop_token stop) override;
  Result<DefinitionUpdate> UpdateDefinition(const EnvironmentRef& ref, const Secret& yaml,
                                            std::string_view etag, std::stop_token stop) override;
  Result<CheckResult> CheckYaml(std::string_view organization, const Secret& yaml,
                                std::stop_token stop) override;

 private:
  HttpRequest MakeRequest(std::string_view method, std::string_view path_and_query) const;
  // An answer, and the token that was sent for it.
  struct Answer {
    HttpResponse response;
    std::shared_ptr<const Secret> token;
  };
  // An Error when there was no answer; any status is fine.
  Result<Answer> Send(HttpRequest request, std::string_view action, std::stop_token stop) const;
  // An Error for any other status than 2xx, too.
  Result<HttpResponse> SendExpectingSuccess(HttpRequest request, std::string_view action,
                                            std::stop_token stop) const;
  std::unexpected<Error> Fail(const Answer& answer, std::string_view action) const;
  Result<Definition> ReadDefinition(const std::string& path, std::string_view action,
                                    std::stop_token stop) const;
  Result<HttpResponse> GetSession(const EnvironmentRef& ref, std::string_view session_id,
                                  std::string_view action, std::stop_token stop) const;
  Result<EnvironmentHead> HeadTag(const EnvironmentRef& ref, std::string_view action,
                                  std::stop_token stop) const;

  Options options_;
  HttpTransport& transport_;
  const Clock& clock_;
};

}  // namespace escagent::esc
