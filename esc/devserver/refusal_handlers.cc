#include <nlohmann/json.hpp>
#include <string>

#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"

// What ESC has and this server has not, so that clients say so instead of "not found". 400, as
// clients try 5xx again.
namespace escagent::devserver {
namespace {

void RefuseApprovals(Backend&, const Request&, httplib::Response& response) {
  SendError(response, 400,
            "drafts, change requests and requests to open need approvals, which the offline server "
            "does not have; update or open the environment directly");
}

void RefuseSchedules(Backend&, const Request&, httplib::Response& response) {
  SendError(response, 400,
            "the offline server runs nothing on a schedule; rotate the environment directly");
}

void ListSchedules(Backend&, const Request&, httplib::Response& response) {
  SendJson(response, 200, {{"schedules", nlohmann::json::array()}});
}

}  // namespace

void AddRefusalRoutes(Router& router) {
  const std::string environment = "/api/esc/environments/{org}/{project}/{env}";
  router.Add("POST", environment + "/drafts", RefuseApprovals);
  router.Add("GET", environment + "/drafts/{draft}", RefuseApprovals);
  router.Add("PATCH", environment + "/drafts/{draft}", RefuseApprovals);
  router.Add("POST", environment + "/drafts/{draft}/open", RefuseApprovals);
  router.Add("POST", environment + "/open/request", RefuseApprovals);
  router.Add("GET", environment + "/open/request/{request}", RefuseApprovals);
  router.Add("POST", "/api/change-requests/{org}/{request}/submit", RefuseApprovals);
  router.Add("GET", environment + "/schedules", ListSchedules);
  router.Add("POST", environment + "/schedules", RefuseSchedules);
  for (const char* method : {"GET", "PATCH", "DELETE"}) {
    router.Add(method, environment + "/schedules/{schedule}", RefuseSchedules);
  }
  router.Add("GET", environment + "/schedules/{schedule}/history", RefuseSchedules);
  router.Add("POST", environment + "/schedules/{schedule}/{action}", RefuseSchedules);
}

}  // namespace escagent::devserver
