#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

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

json ToJson(const Request& request, const std::string& name, const Webhook& webhook) {
  return {{"active", webhook.active},
          {"displayName", webhook.display_name},
          {"name", name},
          {"organizationName", request.Argument("org")},
          {"projectName", request.Argument("project")},
          {"envName", request.Argument("env")},
          {"payloadUrl", webhook.url},
          {"filters", webhook.filters},
          {"groups", webhook.groups},
          {"format", webhook.format},
          {"hasSecret", webhook.secret != nullptr}};
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

Status ReadTexts(const json& body, const char* name, std::vector<std::string>& out) {
  const json list = body.contains(name) && !body[name].is_null() ? body[name] : json::array();
  out.clear();
  if (!list.is_array()) return InvalidArgument(std::string(name) + " must be a list of strings");
  for (const json& text : list) {
    if (!text.is_string()) return InvalidArgument(std::string(name) + " must be a list of strings");
    out.push_back(text.get<std::string>());
  }
  return {};
}

// Everything of the body; without a format or a secret in it these stay.
Status ReadWebhook(const json& body, Webhook& webhook) {
  ESC_RETURN_IF_ERROR(ReadMember(body, "displayName", webhook.display_name));
  ESC_RETURN_IF_ERROR(ReadMember(body, "payloadUrl", webhook.url));
  ESC_RETURN_IF_ERROR(ReadMember(body, "active", webhook.active));
  ESC_RETURN_IF_ERROR(ReadMember(body, "format", webhook.format));
  ESC_RETURN_IF_ERROR(ReadTexts(body, "filters", webhook.filters));
  ESC_RETURN_IF_ERROR(ReadTexts(body, "groups", webhook.groups));
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

Status NoSuchWebhook(const std::string& name) {
  return NotFound("there is no webhook '" + name + "'");
}

// The webhook of the path; an error was sent when nothing is given back.
std::optional<Webhook> Find(Backend& backend, const Request& request, httplib::Response& response) {
  const auto state = backend.definitions.Describe(RefOf(request));
  if (!state) {
    SendError(response, state.error());
    return std::nullopt;
  }
  const auto found = (*state)->webhooks.find(request.Argument("hook"));
  if (found == (*state)->webhooks.end()) {
    SendError(response, NoSuchWebhook(request.Argument("hook")).error());
    return std::nullopt;
  }
  return found->second;
}

void ListWebhooks(Backend& backend, const Request& request, httplib::Response& response) {
  const auto state = backend.definitions.Describe(RefOf(request));
  if (!state) return SendError(response, state.error());
  json list = json::array();
  for (const auto& [name, webhook] : (*state)->webhooks) {
    list.push_back(ToJson(request, name, webhook));
  }
  SendJson(response, 200, list);
}

void GetWebhook(Backend& backend, const Request& request, httplib::Response& response) {
  if (const auto webhook = Find(backend, request, response)) {
    SendJson(response, 200, ToJson(request, request.Argument("hook"), *webhook));
  }
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
  const auto state = backend.definitions.Modify(
      RefOf(request),
      [&](EnvironmentState& changed) -> Status {
        if (!changed.webhooks.emplace(name, webhook).second) {
          return MakeError(Code::kAlreadyExists, "there is a webhook '" + name + "' already");
        }
        return {};
      },
      {});
  if (!state) return SendError(response, state.error());
  backend.webhooks.Watch();
  SendJson(response, 201, ToJson(request, name, webhook));
}

void UpdateWebhook(Backend& backend, const Request& request, httplib::Response& response) {
  auto body = ReadBody(request);
  if (!body) return SendError(response, body.error());
  const std::string& name = request.Argument("hook");
  const auto state = backend.definitions.Modify(RefOf(request),
                                                [&](EnvironmentState& changed) -> Status {
                                                  const auto found = changed.webhooks.find(name);
                                                  if (found == changed.webhooks.end())
                                                    return NoSuchWebhook(name);
                                                  return ReadWebhook(*body, found->second);
                                                },
                                                {});
  Scrub(*body);
  if (!state) return SendError(response, state.error());
  SendJson(response, 200, ToJson(request, name, (*state)->webhooks.at(name)));
}

void DeleteWebhook(Backend& backend, const Request& request, httplib::Response& response) {
  const std::string& name = request.Argument("hook");
  const auto state = backend.definitions.Modify(
      RefOf(request),
      [&](EnvironmentState& changed) {
        return changed.webhooks.erase(name) > 0 ? Status() : NoSuchWebhook(name);
      },
      {});
  if (!state) return SendError(response, state.error());
  response.status = 204;
}

void PingWebhook(Backend& backend, const Request& request, httplib::Response& response) {
  if (const auto webhook = Find(backend, request, response)) {
    SendJson(response, 200,
             ToJson(backend.webhooks.Ping(RefOf(request), request.Argument("hook"), *webhook)));
  }
}

void ListDeliveries(Backend& backend, const Request& request, httplib::Response& response) {
  if (!Find(backend, request, response)) return;
  json list = json::array();
  const auto deliveries = backend.webhooks.Deliveries(RefOf(request), request.Argument("hook"));
  for (const WebhookDelivery& delivery : deliveries) list.push_back(ToJson(delivery));
  SendJson(response, 200, list);
}

}  // namespace

void AddWebhookRoutes(Router& router) {
  const std::string hooks = "/api/esc/environments/{org}/{project}/{env}/hooks";
  router.Add("GET", hooks, ListWebhooks);
  router.Add("POST", hooks, CreateWebhook);
  router.Add("GET", hooks + "/{hook}", GetWebhook);
  router.Add("PATCH", hooks + "/{hook}", UpdateWebhook);
  router.Add("DELETE", hooks + "/{hook}", DeleteWebhook);
  router.Add("POST", hooks + "/{hook}/ping", PingWebhook);
  router.Add("GET", hooks + "/{hook}/deliveries", ListDeliveries);
}

}  // namespace escagent::devserver
