#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/duration.h"
#include "base/strings.h"
#include "esc/devserver/api_response.h"
#include "esc/devserver/backend.h"
#include "esc/devserver/evaluation.h"
#include "esc/devserver/handlers.h"
#include "esc/devserver/random.h"
#include "esc/devserver/request_reading.h"
#include "esc/devserver/secret_rewriter.h"
#include "esc/devserver/state_writer.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;
using Rotations = std::vector<eval::Rotation>;

constexpr std::size_t kMaxEvents = 100;  // remembered of each environment

// "Paths" of the body, in any case: the CLI's Go structure has no name of its own for it.
Result<std::vector<esc::PropertyPath>> ReadPaths(const Request& request) {
  ESC_ASSIGN_OR_RETURN(const json body, ReadBody(request));
  std::vector<std::string> texts;
  for (auto member = body.begin(); member != body.end(); ++member) {
    if (EqualsIgnoreCase(member.key(), "paths")) {
      ESC_RETURN_IF_ERROR(ReadMember(body, member.key().c_str(), texts));
    }
  }
  std::vector<esc::PropertyPath> paths;
  for (const std::string& text : texts) {
    ESC_ASSIGN_OR_RETURN(esc::PropertyPath path, esc::PropertyPath::Parse(text));
    paths.push_back(std::move(path));
  }
  return paths;
}

json ToJson(const eval::Rotation& rotation) {
  const bool succeeded = rotation.status == eval::Rotation::Status::kSucceeded;
  json document = {{"id", RandomHex(16)},
                   {"environmentPath", rotation.path},
                   {"status", succeeded ? "succeeded" : "failed"}};
  if (!succeeded) {
    document["errorMessage"] = rotation.status == eval::Rotation::Status::kFailed
                                   ? rotation.message
                                   : "its inputs or its state are not known";
  }
  return document;
}

bool HasSucceeded(const eval::Rotation& rotation) {
  return rotation.status == eval::Rotation::Status::kSucceeded;
}

// One call of the route, from the revision that was rotated to the one with the new states.
class RotationRun {
 public:
  RotationRun(Backend& backend, const Request& request, Revision revision)
      : backend_(backend), request_(request), revision_(std::move(revision)) {}

  // Rotates; gives what went wrong when nothing was rotated for it.
  eval::Diagnostics Rotate(std::vector<esc::PropertyPath> paths) {
    // Nothing is rotated in an environment that does not evaluate: it could not be opened with the
    // new credentials.
    const auto check = Evaluate({.mode = eval::EvalMode::kCheck, .show_secrets = true});
    if (!check->ok()) return check->diagnostics;
    begin_ = backend_.clock.WallNow();
    const auto result =
        Evaluate({.mode = eval::EvalMode::kRotate, .rotate_paths = std::move(paths)});
    for (const eval::Rotation& rotation : result->rotations) rotations_.push_back(Clone(rotation));
    const bool ran = std::ranges::any_of(rotations_, [](const eval::Rotation& rotation) {
      return rotation.status != eval::Rotation::Status::kNotEvaluated;
    });
    if (!result->ok() && !ran) return result->diagnostics;
    if (!result->ok() && std::ranges::all_of(rotations_, HasSucceeded)) {
      error_ = esc::JoinDiagnostics(result->diagnostics);
    }
    return {};
  }

  // Writes the new states and the event, in one step, and gives the event.
  Result<json> Write() {
    json event;
    const auto written = backend_.definitions.Rewrite(
        RefOf(request_),
        [&](EnvironmentState& state) -> Result<Secret> {
          Secret text = NextText(*state.revisions.back().text);
          event = EventFor(state, text);
          state.rotations.push_back(event);
          if (state.rotations.size() > kMaxEvents) state.rotations.erase(state.rotations.begin());
          return text;
        },
        request_.identity.login);
    if (!written) return std::unexpected(written.error());
    return event;
  }

 private:
  SessionTable::Snapshot Evaluate(EvaluationOptions options) {
    return devserver::Evaluate(backend_, request_.identity, request_.Argument("org"),
                               request_.Argument("project") + "/" + request_.Argument("env"),
                               revision_.text->Reveal(), std::move(options));
  }

  static eval::Rotation Clone(const eval::Rotation& rotation) {
    return {.status = rotation.status,
            .path = rotation.path,
            .message = rotation.message,
            .patch_path = rotation.patch_path,
            .state = rotation.state.Clone()};
  }

  Secret NextText(const Secret& latest) {
    Secret text = latest.Clone();
    for (eval::Rotation& rotation : rotations_) {
      if (!HasSucceeded(rotation)) continue;
      Result<Secret> next = WriteState(text.Reveal(), rotation, revision_.text->Reveal());
      if (next) {
        text = *std::move(next);
      } else {
        rotation.status = eval::Rotation::Status::kFailed;
        rotation.message = next.error().message;
      }
    }
    return RewriteSecrets(backend_.secrets, text.Reveal(), SecretForm::kStored);
  }

  // `state` is the one before `text` becomes its newest revision.
  json EventFor(const EnvironmentState& state, const Secret& text) const {
    json rotations = json::array();
    for (const eval::Rotation& rotation : rotations_) rotations.push_back(ToJson(rotation));
    const bool good = error_.empty() && std::ranges::all_of(rotations_, HasSucceeded);
    json event = {{"id", RandomHex(16)},
                  {"environmentId", request_.Environment()},
                  {"created", FormatTime(begin_)},
                  {"completed", FormatTime(backend_.clock.WallNow())},
                  {"userID", request_.identity.user_id},
                  {"status", good ? "succeeded" : "failed"},
                  {"preRotationRevision", revision_.number},
                  {"rotations", std::move(rotations)}};
    if (!state.IsLatest(text)) event["postRotationRevision"] = state.last_number + 1;
    if (!error_.empty()) event["errorMessage"] = error_;
    return event;
  }

  Backend& backend_;
  const Request& request_;
  const Revision revision_;
  Clock::WallTime begin_{};
  Rotations rotations_;
  std::string error_;  // of what was not rotated
};

void Rotate(Backend& backend, const Request& request, httplib::Response& response) {
  auto paths = ReadPaths(request);
  if (!paths) return SendError(response, paths.error());
  auto revision = backend.definitions.Get(RefOf(request));
  if (!revision) return SendError(response, revision.error());
  for (const esc::PropertyPath& path : *paths) {
    if (IsRotated(revision->text->Reveal(), path)) continue;
    return SendError(response, 400,
                     "there is no fn::rotate at \"" + path.ToString() + "\" of the environment");
  }
  RotationRun run(backend, request, *std::move(revision));
  const eval::Diagnostics findings = run.Rotate(*std::move(paths));
  if (!findings.empty()) return SendFindings(response, findings);
  const auto event = run.Write();
  if (!event) return SendError(response, event.error());
  SendJson(response, 200, {{"id", (*event)["id"]}, {"secretRotationEvent", *event}});
}

// The newest first.
void ListRotations(Backend& backend, const Request& request, httplib::Response& response) {
  const auto state = backend.definitions.Describe(RefOf(request));
  if (!state) return SendError(response, state.error());
  json events = json::array();
  for (auto it = (*state)->rotations.rbegin(); it != (*state)->rotations.rend(); ++it) {
    events.push_back(*it);
  }
  SendJson(response, 200, {{"events", std::move(events)}});
}

}  // namespace

void AddRotationRoutes(Router& router) {
  const std::string rotate = "/api/esc/environments/{org}/{project}/{env}/rotate";
  router.Add("POST", rotate, Rotate);
  router.Add("GET", rotate + "/history", ListRotations);
}

}  // namespace escagent::devserver
