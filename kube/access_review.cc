#include "kube/access_review.h"

#include <utility>

#include "base/json_fields.h"

namespace escagent::kube {

Result<bool> MayI(Api& api, const AccessQuestion& question, const CallOptions& options) {
  Object review(nlohmann::json::object());
  nlohmann::json& attributes = review.json()["spec"]["resourceAttributes"];
  attributes = {
      {"verb", question.verb}, {"group", question.group}, {"resource", question.resource}};
  if (!question.subresource.empty()) attributes["subresource"] = question.subresource;
  if (!question.namespace_name.empty()) attributes["namespace"] = question.namespace_name;
  if (!question.name.empty()) attributes["name"] = question.name;
  ESC_ASSIGN_OR_RETURN(const Object answer,
                       api.Create(SelfSubjectAccessReviews(), review, options));
  return BoolMember(Member(answer.json(), "status"), "allowed");
}

}  // namespace escagent::kube
