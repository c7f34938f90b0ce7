#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/duration.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/request_reading.h"

// The tags of environments: names with values, for people.
namespace escagent::devserver {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxName = 100;
// As the token of a next page: there is none. The CLI asks until it gets this one.
constexpr std::string_view kNoMore = "0";

// Without the "id" that the service has: the Go SDK refuses members that it does not know.
json ToJson(const std::string& name, const EnvironmentTag& tag) {
  return {{"name", name},
          {"value", tag.value},
          {"created", FormatTime(tag.created)},
          {"modified", FormatTime(tag.modified)},
          {"editorLogin", tag.login},
          {"editorName", tag.login}};
}

Status NoSuchTag(const std::string& name) { return NotFound("there is no tag '" + name + "'"); }

void ListTags(Backend& backend, const Request& request, httplib::Response& response) {
  const auto state = backend.definitions.Describe(RefOf(request));
  if (!state) return SendError(response, state.error());
  json tags = json::object();
  const std::string next = VisitPage(
      request, (*state)->tags,
      [&](const std::string& name, const EnvironmentTag& tag) { tags[name] = ToJson(name, tag); });
  SendJson(response, 200,
           {{"tags", std::move(tags)}, {"nextToken", next.empty() ? std::string(kNoMore) : next}});
}

void GetTag(Backend& backend, const Request& request, httplib::Response& response) {
  const auto state = backend.definitions.Describe(RefOf(request));
  if (!state) return SendError(response, state.error());
  const auto tag = (*state)->tags.find(request.Argument("tag"));
  if (tag == (*state)->tags.end()) {
    return SendError(response, NoSuchTag(request.Argument("tag")).error());
  }
  SendJson(response, 200, ToJson(tag->first, tag->second));
}

void CreateTag(Backend& backend, const Request& request, httplib::Response& response) {
  const auto body = ReadBody(request);
  if (!body) return SendError(response, body.error());
  const Clock::WallTime now = backend.clock.WallNow();
  std::string name;
  EnvironmentTag tag{.created = now, .modified = now, .login = request.identity.login};
  for (const Status& read :
       {ReadMember(*body, "name", name), ReadMember(*body, "value", tag.value)}) {
    if (!read) return SendError(response, read.error());
  }
  if (name.empty() || name.size() > kMaxName) {
    return SendError(response, 400, "the name of a tag must have 1 to 100 characters");
  }
  const auto state = backend.definitions.Modify(
      RefOf(request),
      [&](EnvironmentState& changed) -> Status {
        if (!changed.tags.emplace(name, tag).second) {
          return MakeError(Code::kAlreadyExists, "there is a tag '" + name + "' already");
        }
        return {};
      },
      {"environment_tag_created", RefOf(request), 0, name, request.identity.login});
  if (!state) return SendError(response, state.error());
  SendJson(response, 200, ToJson(name, tag));
}

// {"currentTag": {"value"}, "newTag": {"name", "value"}}: what is empty stays as it is.
void UpdateTag(Backend& backend, const Request& request, httplib::Response& response) {
  const auto body = ReadBody(request);
  if (!body) return SendError(response, body.error());
  const std::string& name = request.Argument("tag");
  std::string expected;
  std::string new_name;
  std::string new_value;
  const json current = body->value("currentTag", json::object());
  const json wanted = body->value("newTag", json::object());
  for (const Status& read :
       {ReadMember(current, "value", expected), ReadMember(wanted, "name", new_name),
        ReadMember(wanted, "value", new_value)}) {
    if (!read) return SendError(response, read.error());
  }
  if (new_name.empty()) new_name = name;
  const auto state = backend.definitions.Modify(
      RefOf(request),
      [&](EnvironmentState& changed) -> Status {
        const auto found = changed.tags.find(name);
        if (found == changed.tags.end()) return NoSuchTag(name);
        EnvironmentTag tag = found->second;
        if (!expected.empty() && expected != tag.value) {
          return MakeError(Code::kAborted, "tag '" + name + "' was changed since it was read");
        }
        if (new_name != name && changed.tags.contains(new_name)) {
          return MakeError(Code::kAlreadyExists, "there is a tag '" + new_name + "' already");
        }
        if (!new_value.empty()) tag.value = new_value;
        tag.modified = backend.clock.WallNow();
        tag.login = request.identity.login;
        changed.tags.erase(found);
        changed.tags.emplace(new_name, std::move(tag));
        return {};
      },
      {"environment_tag_updated", RefOf(request), 0, new_name, request.identity.login});
  if (!state) return SendError(response, state.error());
  SendJson(response, 200, ToJson(new_name, (*state)->tags.at(new_name)));
}

void DeleteTag(Backend& backend, const Request& request, httplib::Response& response) {
  const std::string& name = request.Argument("tag");
  const auto state = backend.definitions.Modify(
      RefOf(request),
      [&](EnvironmentState& changed) {
        return changed.tags.erase(name) > 0 ? Status() : NoSuchTag(name);
      },
      {"environment_tag_deleted", RefOf(request), 0, name, request.identity.login});
  if (!state) return SendError(response, state.error());
  response.status = 204;
}

}  // namespace

void AddTagRoutes(Router& router) {
  const std::string tags = "/api/esc/environments/{org}/{project}/{env}/tags";
  router.Add("GET", tags, ListTags);
  router.Add("POST", tags, CreateTag);
  router.Add("GET", tags + "/{tag}", GetTag);
  router.Add("PATCH", tags + "/{tag}", UpdateTag);
  router.Add("DELETE", tags + "/{tag}", DeleteTag);
}

}  // namespace escagent::devserver
