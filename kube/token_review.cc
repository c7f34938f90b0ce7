#include "kube/token_review.h"

#include <algorithm>

#include "base/json_fields.h"
#include "kube/message_text.h"

namespace escagent::kube {
namespace {

using nlohmann::json;

constexpr const char* kAction = "review a token";

Object MakeReview(const Secret& token, const std::vector<std::string>& audiences) {
  Object review(json::object());
  json& spec = review.json()["spec"];
  spec["token"] = token.Reveal();
  if (!audiences.empty()) spec["audiences"] = audiences;
  return review;
}

std::unexpected<Error> Refuse(const std::string& cause) {
  return MakeError(Code::kUnauthenticated, std::string(kAction) + ": " + cause);
}

}  // namespace

Result<TokenUser> ReviewToken(Api& api, const Secret& token,
                              const std::vector<std::string>& audiences,
                              const CallOptions& options) {
  if (token.Empty()) return Refuse("it is empty");
  ESC_ASSIGN_OR_RETURN(const Object review,
                       api.Create(TokenReviews(), MakeReview(token, audiences), options));
  const json& status = Member(review.json(), "status");
  if (!BoolMember(status, "authenticated")) {
    const std::string cause = StringMember(status, "error");
    return Refuse(cause.empty() ? "the API server does not accept it"
                                : PlainText(WithoutQuotedValues(cause)));
  }
  // An authenticator that knows no audiences does not look at those asked for.
  if (!audiences.empty()) {
    const std::vector<std::string> accepted = StringsMember(status, "audiences");
    const auto is_accepted = [&](const std::string& audience) {
      return std::ranges::find(accepted, audience) != accepted.end();
    };
    if (std::ranges::none_of(audiences, is_accepted)) return Refuse("it is for another audience");
  }
  const json& user = Member(status, "user");
  TokenUser found;
  found.name = StringMember(user, "username");
  found.uid = StringMember(user, "uid");
  found.groups = StringsMember(user, "groups");
  if (found.name.empty()) return Refuse("the API server does not say whose it is");
  return found;
}

}  // namespace escagent::kube
