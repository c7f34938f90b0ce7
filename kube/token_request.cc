#include "kube/token_request.h"

#include <string_view>

#include "base/json.h"
#include "base/json_fields.h"

namespace escagent::kube {

Result<Secret> RequestToken(Api& api, const ObjectKey& service_account,
                            const std::vector<std::string>& audiences,
                            std::chrono::seconds lifetime, const CallOptions& options) {
  const Object request(nlohmann::json{
      {"apiVersion", "authentication.k8s.io/v1"},
      {"kind", "TokenRequest"},
      {"spec", {{"audiences", audiences}, {"expirationSeconds", lifetime.count()}}}});
  ESC_ASSIGN_OR_RETURN(Object answer, api.CreateSubresource(ServiceAccounts(), service_account,
                                                            "token", request, options));
  Secret token;
  const nlohmann::json& text = Member(Member(answer.json(), "status"), "token");
  if (text.is_string()) token = Secret(std::string_view(text.get_ref<const std::string&>()));
  Scrub(answer.json());
  if (token.Empty()) {
    return Unavailable("create a token of service account " + service_account.ToString() +
                       ": the API server's answer holds none");
  }
  return token;
}

}  // namespace escagent::kube
