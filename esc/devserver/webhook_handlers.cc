#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/random.h"
#include "esc/devserver/request_reading.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

// As a secret: take the one away.
constexpr std::string_view kRemoveSecret = "__remove-secret";

// Webhooks of an environment and of an organization differ in their owner only: the latter has no
// project and no environment.
json ToJson(const Request& request, const std::string& name, const Webhook& webhook) {
  json document = {{"active", webhook.active},
                   {"displayName", webhook.display_name},
                   {"name", name},
                   {"organizationName", request.Argument("org")},
                   {"payloadUrl", webhook.url},
                   {"filters", webhook.filters},
                   {"groups", webhook.groups},
                   {"format", webhook.format},
                   {"hasSecret", webhook.secret != nullptr}};
  if (!request.Environment().empty()) {
    document["projectName"] = request.Argument("project");
    document["envName"] = request.Argument("env");
  }
  return document;
}

Status CheckOrganization(Backend& backend, const std::string& name) {
  const std::vector<std::string> known = backend.definitions.Organizations();
  if (std::ranges::find(known, name) != known.end()) return {};
  return NotFound("organization '" + name + "' not found");
}

Result<Webhooks> WebhooksOf(Backend& backend, const Request& request) {
  const std::string& organization = request.Argument("org");
  if (request.Environment().empty()) {
    ESC_RETURN_IF_ERROR(CheckOrganization(backend, organization));
    return backend.organization_webhooks.Of(organization);
  }
  ESC_ASSIGN_OR_RETURN(const auto state, backend.definitions.Describe(RefOf(request)));
  return state->webhooks;
}

// The webhooks after the change.
Result<Webhooks> Modify(Backend& backend, const Request& request,
                        const std::function<Status(Webhooks&)>& change) {
  const std::string& organization = request.Argument("org");
  if (request.Environment().empty()) {
    ESC_RETURN_IF_ERROR(CheckOrganization(backend, organization));
    return backend.organization_webhooks.Modify(organization, change);
  }
  ESC_ASSIGN_OR_RETURN(
      const auto state,
      backend.definitions.Modify(
          RefOf(request), [&](EnvironmentState& changed) { return change(changed.webhooks); }, {}));
  return state->webhooks;
}

json ToJson(const WebhookDelivery& delivery) {
  return {{"id", delivery.id},
          {"kind", delivery.kind},
          {"timestamp", std::chrono::system_clock::to_time_t(delivery.at)},
          {"duration", delivery.duration.count()},
          {"payload", delivery.payload},
          {"requestUrl", delivery.url},
          {"requestHeaders", ""},
          {"responseCode", delivery.status},
          {"responseHeaders", ""},
          {"responseBody", delivery.answer}};
}

// Everything of the body; without a format or a secret in it these stay.
Status ReadWebhook(const json& body, Webhook& webhook) {
  ESC_RETURN_IF_ERROR(ReadMember(body, "displayName", webhook.display_name));
  ESC_RETURN_IF_ERROR(ReadMember(body, "payloadUrl", webhook.url));
  ESC_RETURN_IF_ERROR(ReadMember(body, "active", webhook.active));
  ESC_RETURN_IF_ERROR(ReadMember(body, "format", webhook.format));
  webhook.filters.clear();
  webhook.groups.clear();
  ESC_RETURN_IF_ERROR(ReadMember(body, "filters", webhook.filters));
  ESC_RETURN_IF_ERROR(ReadMember(body, "groups", webhook.groups));
  std::string secret;
  ESC_RETURN_IF_ERROR(ReadMember(body, "secret", secret));
  if (secret == kRemoveSecret) {
    webhook.secret = nullptr;
  } else if (!secret.empty()) {
    webhook.secret = std::make_shared<const Secret>(std::move(secret));
  }
  if (!webhook.url.starts_with("http://") && !webhook.url.starts_with("https://")) {
    return InvalidArgument("payloadUrl must be an http or https URL");
  }
  if (webhook.format != "raw") {
    return InvalidArgument("format must be \"raw\": the offline server has no other");
  }
  return {};
}

std::unexpected<Error> NoSuchWebhook(const std::string& name) {
  return NotFound("there is no webhook '" + name + "'");
}

// The webhook of the path.
Result<Webhook> Find(Backend& backend, const Request& request) {
  ESC_ASSIGN_OR_RETURN(const Webhooks webhooks, WebhooksOf(backend, request));
  const auto found = webhooks.find(request.Argument("hook"));
  if (found == webhooks.end()) return NoSuchWebhook(request.Argument("hook"));
  return found->second;
}

void ListWebhooks(Backend& backend, const Request& request, httplib::Response& response) {
  const auto webhooks = WebhooksOf(backend, request);
  if (!webhooks) return SendError(response, webhooks.error());
  json list = json::array();
  for (const auto& [name, webhook] : *webhooks) list.push_back(ToJson(request, name, webhook));
  SendJson(response, 200, list);
}

void GetWebhook(Backend& backend, const Request& request, httplib::Response& response) {
  const auto webhook = Find(backend, request);
  if (!webhook) return SendError(response, webhook.error());
  SendJson(response, 200, ToJson(request, request.Argument("hook"), *webhook));
}

void CreateWebhook(Backend& backend, const Request& request, httplib::Response& response) {
  auto body = ReadBody(request);
  if (!body) return SendError(response, body.error());
  std::string name;
  Webhook webhook;
  for (const Status& read : {ReadMember(*body, "name", name), ReadWebhook(*body, webhook)}) {
    if (!read) return SendError(response, read.error());
  }
  Scrub(*body);
  // Clients of people give a display name only.
  if (name.empty()) name = "hook-" + RandomHex(4);
  if (!esc::EnvironmentRef{"org", "project", name, ""}.Validate("webhook")) {
    return SendError(response, 400,
                     "the name of a webhook must be 1 to 100 letters, digits, \"-\", \"_\" or "
                     "\".\"");
  }
  const auto webhooks = Modify(backend, request, [&](Webhooks& changed) -> Status {
    if (changed.emplace(name, webhook).second) return {};
    return MakeError(Code::kAlreadyExists, "there is a webhook '" + name + "' already");
  });
  if (!webhooks) return SendError(response, webhooks.error());
  backend.webhooks.Watch();
  SendJson(response, 201, ToJson(request, name, webhook));
}

void UpdateWebhook(Backend& backend, const Request& request, httplib::Response& response) {
  auto body = ReadBody(request);
  if (!body) return SendError(response, body.error());
  const std::string& name = request.Argument("hook");
  const auto webhooks = Modify(backend, request, [&](Webhooks& changed) -> Status {
    const auto found = changed.find(name);
    return found == changed.end() ? NoSuchWebhook(name) : ReadWebhook(*body, found->second);
  });
  Scrub(*body);
  if (!webhooks) return SendError(response, webhooks.error());
  SendJson(response, 200, ToJson(request, name, webhooks->at(name)));
}

void DeleteWebhook(Backend& backend, const Request& request, httplib::Response& response) {
  const std::string& name = request.Argument("hook");
  const auto webhooks = Modify(backend, request, [&](Webhooks& changed) {
    return changed.erase(name) > 0 ? Status() : NoSuchWebhook(name);
  });
  if (!webhooks) return SendError(response, webhooks.error());
  response.status = 204;
}

void PingWebhook(Backend& backend, const Request& request, httplib::Response& response) {
  const auto webhook = Find(backend, request);
  if (!webhook) return SendError(response, webhook.error());
  SendJson(response, 200,
           ToJson(backend.webhooks.Ping(RefOf(request), request.Argument("hook"), *webhook)));
}

void ListDeliveries(Backend& backend, const Request& request, httplib::Response& response) {
  if (const auto webhook = Find(backend, request); !webhook) {
    return SendError(response, webhook.error());
  }
  json list = json::array();
  const auto deliveries = backend.webhooks.Deliveries(RefOf(request), request.Argument("hook"));
  for (const WebhookDelivery& delivery : deliveries) list.push_back(ToJson(delivery));
  SendJson(response, 200, list);
}

}  // namespace

void AddWebhookRoutes(Router& router) {
  for (const std::string owner :
       {"/api/esc/environments/{org}/{project}/{env}", "/api/orgs/{org}"}) {
    const std::string hooks = owner + "/hooks";
    router.Add("GET", hooks, ListWebhooks);
    router.Add("POST", hooks, CreateWebhook);
    router.Add("GET", hooks + "/{hook}", GetWebhook);
    router.Add("PATCH", hooks + "/{hook}", UpdateWebhook);
    router.Add("DELETE", hooks + "/{hook}", DeleteWebhook);
    router.Add("POST", hooks + "/{hook}/ping", PingWebhook);
    router.Add("GET", hooks + "/{hook}/deliveries", ListDeliveries);
  }
}

}  // namespace escagent::devserver
