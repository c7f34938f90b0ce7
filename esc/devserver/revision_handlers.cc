#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/duration.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/request_reading.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

json TagsOf(const EnvironmentState& state, int revision) {
  json tags = json::array();
  if (revision == state.revisions.back().number) tags.push_back(EnvironmentState::kLatest);
  for (const auto& [name, tag] : state.revision_tags) {
    if (tag.revision == revision) tags.push_back(name);
  }
  return tags;
}

json ToJson(const EnvironmentState& state, const Revision& revision) {
  json document = {{"number", revision.number},
                   {"created", FormatTime(revision.created)},
                   {"creatorLogin", revision.login},
                   {"creatorName", revision.login},
                   {"tags", TagsOf(state, revision.number)}};
  if (const auto& retraction = revision.retraction) {
    document["retracted"] = {{"replacement", retraction->replacement},
                             {"at", FormatTime(retraction->at)},
                             {"byLogin", retraction->login},
                             {"byName", retraction->login},
                             {"reason", retraction->reason}};
  }
  return document;
}

// The newest first, below "before" (0: from the newest on), at most "count". Clients page until
// nothing comes.
void ListRevisions(Backend& backend, const Request& request, httplib::Response& response) {
  const auto state = backend.definitions.Describe(RefOf(request));
  if (!state) return SendError(response, state.error());
  const int before = NumberOf(request, "before", 0);
  const auto count =
      static_cast<std::size_t>(std::clamp(NumberOf(request, "count", kMaxCount), 0, kMaxCount));
  json list = json::array();
  const std::vector<Revision>& revisions = (*state)->revisions;
  for (auto it = revisions.rbegin(); it != revisions.rend() && list.size() < count; ++it) {
    if (before == 0 || it->number < before) list.push_back(ToJson(**state, *it));
  }
  SendJson(response, 200, list);
}

// The revision that is used in place of one that is retracted: the one before it, or after it.
int ReplacementFor(const EnvironmentState& state, int retracted) {
  int replacement = 0;
  for (const Revision& revision : state.revisions) {
    if (revision.retraction || revision.number == retracted) continue;
    if (revision.number < retracted || replacement == 0) replacement = revision.number;
  }
  return replacement;
}

Status Retract(EnvironmentState& state, const std::string& version, Retraction retraction) {
  const int number = state.NumberOf(version);
  const auto revision = std::ranges::find(state.revisions, number, &Revision::number);
  if (revision == state.revisions.end()) {
    return NotFound("there is no version '" + version + "'");
  }
  if (number == state.revisions.back().number) {
    return InvalidArgument("the latest revision cannot be retracted; update the environment first");
  }
  if (retraction.replacement == 0) retraction.replacement = ReplacementFor(state, number);
  const Revision* replacement = state.Find(retraction.replacement);
  if (replacement == nullptr || replacement->retraction || retraction.replacement == number) {
    return InvalidArgument("the replacement must be another revision that is not retracted");
  }
  for (auto& [name, tag] : state.revision_tags) {
    if (tag.revision != number) continue;
    tag.revision = retraction.replacement;
    tag.modified = retraction.at;
    tag.login = retraction.login;
  }
  revision->retraction = std::move(retraction);
  return {};
}

void RetractRevision(Backend& backend, const Request& request, httplib::Response& response) {
  const auto body = ReadBody(request);
  if (!body) return SendError(response, body.error());
  Retraction retraction{.at = backend.clock.WallNow(), .login = request.identity.login};
  for (const Status& read : {ReadMember(*body, "replacement", retraction.replacement),
                             ReadMember(*body, "reason", retraction.reason)}) {
    if (!read) return SendError(response, read.error());
  }
  const esc::EnvironmentRef ref = RefOf(request);
  const auto known = backend.definitions.Describe(ref);
  const auto state = backend.definitions.Modify(
      ref, [&](EnvironmentState& changed) { return Retract(changed, ref.version, retraction); },
      {.kind = "environment_revision_retracted",
       .ref = {ref.organization, ref.project, ref.environment, ""},
       .revision = known ? (*known)->NumberOf(ref.version) : 0,
       .login = request.identity.login});
  if (!state) return SendError(response, state.error());
  response.status = 204;
}

json ToJson(const std::string& name, const RevisionTag& tag) {
  return {{"name", name},
          {"revision", tag.revision},
          {"created", FormatTime(tag.created)},
          {"modified", FormatTime(tag.modified)},
          {"editorLogin", tag.login},
          {"editorName", tag.login}};
}

// All tags, the built-in one among them.
std::map<std::string, RevisionTag> AllTags(const EnvironmentState& state) {
  std::map<std::string, RevisionTag> tags = state.revision_tags;
  const Revision& latest = state.revisions.back();
  tags[std::string(EnvironmentState::kLatest)] = {.revision = latest.number,
                                                  .created = state.created,
                                                  .modified = latest.created,
                                                  .login = latest.login};
  return tags;
}

void ListRevisionTags(Backend& backend, const Request& request, httplib::Response& response) {
  const auto state = backend.definitions.Describe(RefOf(request));
  if (!state) return SendError(response, state.error());
  json list = json::array();
  const std::string next = VisitPage(
      request, AllTags(**state),
      [&](const std::string& name, const RevisionTag& tag) { list.push_back(ToJson(name, tag)); });
  SendJson(response, 200, {{"tags", std::move(list)}, {"nextToken", next}});
}

void GetRevisionTag(Backend& backend, const Request& request, httplib::Response& response) {
  const auto state = backend.definitions.Describe(RefOf(request));
  if (!state) return SendError(response, state.error());
  const auto tags = AllTags(**state);
  const auto tag = tags.find(request.Argument("tag"));
  if (tag == tags.end()) {
    SendError(response, 404,
              "environment '" + request.Environment() + "' has no revision tag '" +
                  request.Argument("tag") + "'");
    return;
  }
  SendJson(response, 200, ToJson(tag->first, tag->second));
}

Status CheckTagName(const std::string& name) {
  if (name == EnvironmentState::kLatest) {
    return MakeError(Code::kAlreadyExists, "the tag 'latest' is built in");
  }
  const bool good = !name.empty() && (name[0] < '0' || name[0] > '9') &&
                    esc::EnvironmentRef{"org", "project", "environment", name}.Validate("tag");
  if (good) return {};
  return InvalidArgument(
      "the name of a tag must be 1 to 100 letters, digits, \"-\", \"_\" or \".\" and not begin "
      "with "
      "a digit");
}

// What a change of a tag does; `revision` is 0 for the newest.
using TagChange = Status (*)(EnvironmentState&, const std::string& name, RevisionTag tag);

Status CreateTag(EnvironmentState& state, const std::string& name, RevisionTag tag) {
  if (!state.revision_tags.emplace(name, std::move(tag)).second) {
    return MakeError(Code::kAlreadyExists, "there is a revision tag '" + name + "' already");
  }
  return {};
}

Status MoveTag(EnvironmentState& state, const std::string& name, RevisionTag tag) {
  const auto found = state.revision_tags.find(name);
  if (found == state.revision_tags.end())
    return NotFound("there is no revision tag '" + name + "'");
  tag.created = found->second.created;
  found->second = std::move(tag);
  return {};
}

Status DeleteTag(EnvironmentState& state, const std::string& name, RevisionTag) {
  if (state.revision_tags.erase(name) == 0) {
    return NotFound("there is no revision tag '" + name + "'");
  }
  return {};
}

void ChangeTag(Backend& backend, const Request& request, const std::string& kind, TagChange change,
               httplib::Response& response) {
  const auto body = ReadBody(request);
  if (!body) return SendError(response, body.error());
  std::string name = request.Argument("tag");
  int revision = 0;
  if (name.empty()) {
    if (const Status read = ReadMember(*body, "name", name); !read) {
      return SendError(response, read.error());
    }
  }
  if (const Status read = ReadMember(*body, "revision", revision); !read) {
    return SendError(response, read.error());
  }
  if (const Status good = CheckTagName(name); !good) return SendError(response, good.error());
  const Clock::WallTime now = backend.clock.WallNow();
  StoreEvent event{.kind = kind,
                   .ref = RefOf(request),
                   .revision = revision,
                   .name = name,
                   .login = request.identity.login};
  const auto state = backend.definitions.Modify(
      event.ref,
      [&](EnvironmentState& changed) -> Status {
        const int number = revision == 0 ? changed.revisions.back().number : revision;
        const Revision* target = changed.Find(number);
        if (target == nullptr || target->retraction) {
          return NotFound("there is no revision " + std::to_string(number) +
                          ", or it was retracted");
        }
        return change(
            changed, name,
            {.revision = number, .created = now, .modified = now, .login = request.identity.login});
      },
      event);
  if (!state) return SendError(response, state.error());
  response.status = 204;
}

void CreateRevisionTag(Backend& backend, const Request& request, httplib::Response& response) {
  ChangeTag(backend, request, "environment_revision_tag_created", CreateTag, response);
}

void UpdateRevisionTag(Backend& backend, const Request& request, httplib::Response& response) {
  ChangeTag(backend, request, "environment_revision_tag_updated", MoveTag, response);
}

void DeleteRevisionTag(Backend& backend, const Request& request, httplib::Response& response) {
  ChangeTag(backend, request, "environment_revision_tag_deleted", DeleteTag, response);
}

}  // namespace

void AddRevisionRoutes(Router& router) {
  const std::string versions = "/api/esc/environments/{org}/{project}/{env}/versions";
  router.Add("GET", versions, ListRevisions);
  router.Add("GET", versions + "/tags", ListRevisionTags);
  router.Add("POST", versions + "/tags", CreateRevisionTag);
  router.Add("GET", versions + "/tags/{tag}", GetRevisionTag);
  router.Add("PATCH", versions + "/tags/{tag}", UpdateRevisionTag);
  router.Add("DELETE", versions + "/tags/{tag}", DeleteRevisionTag);
  router.Add("POST", versions + "/{version}/retract", RetractRevision);
}

}  // namespace escagent::devserver
