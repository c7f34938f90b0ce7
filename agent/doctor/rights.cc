#include "agent/doctor/rights.h"

#include <initializer_list>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "agent/doctor/parallel.h"

namespace escagent::doctor {
namespace {

struct Row {
  const char* group;
  std::initializer_list<const char*> resources;  // "externalsecrets/status"
  std::initializer_list<const char*> verbs;
  Use use;
  Place place = Place::kServed;
};

void Add(const Row& row, std::vector<Right>& rights) {
  for (const std::string_view resource : row.resources) {
    const std::size_t slash = resource.find('/');
    for (const char* verb : row.verbs) {
      rights.push_back({.question = {.verb = verb,
                                     .group = row.group,
                                     .resource = std::string(resource.substr(0, slash)),
                                     .subresource = slash == std::string_view::npos
                                                        ? ""
                                                        : std::string(resource.substr(slash + 1))},
                        .use = row.use,
                        .place = row.place});
    }
  }
}

bool IsNeeded(const Right& right, const Agent& agent) {
  if (right.place == Place::kAll && !agent.scope.IsAll()) return false;
  return agent.mirror || (right.use != Use::kMirror && right.use != Use::kRestarts);
}

// The questions about a right, one for each namespace.
std::vector<kube::AccessQuestion> QuestionsOf(const Right& right, const Agent& agent) {
  std::vector<kube::AccessQuestion> questions = {right.question};
  if (right.place == Place::kOwn) questions[0].namespace_name = agent.own_namespace;
  if (right.place != Place::kServed || agent.scope.IsAll()) return questions;
  questions.clear();
  for (const std::string& name : agent.scope.names()) {
    questions.push_back(right.question);
    questions.back().namespace_name = name;
  }
  return questions;
}

struct Asked {
  Use use;
  kube::AccessQuestion question;
  Result<bool> allowed = false;
};

std::string Describe(const kube::AccessQuestion& question) {
  std::string text = question.resource;
  if (!question.group.empty()) text += "." + question.group;
  if (!question.subresource.empty()) text += "/" + question.subresource;
  return text + (question.namespace_name.empty() ? "" : " in namespace " + question.namespace_name);
}

std::string_view Consequence(Use use) {
  switch (use) {
    case Use::kVolumes:
      return "stores or their tokens cannot be read";
    case Use::kWrites:
      return "Secrets cannot be written (the mirror, mirrorTo)";
    case Use::kSharing:
      return "agents do not tell each other what has changed (--share-probes, webhooks)";
    case Use::kMirror:
      return "the mirror does not work";
    case Use::kEvents:
      return "nothing is told by events";
    case Use::kRestarts:
      return "restart-on-change does nothing";
  }
  return "";
}

bool IsSerious(Use use, const Agent& agent) {
  if (use == Use::kWrites) return agent.mirror;
  return use == Use::kVolumes || use == Use::kMirror;
}

}  // namespace

std::vector<Right> AllRights() {
  constexpr const char* kEso = "external-secrets.io";
  std::vector<Right> rights;
  for (const Row& row : {
           Row{kEso, {"secretstores"}, {"get", "list", "watch"}, Use::kVolumes},
           Row{kEso, {"clustersecretstores"}, {"get", "list", "watch"}, Use::kVolumes, Place::kAll},
           Row{"", {"namespaces"}, {"get", "list", "watch"}, Use::kVolumes, Place::kAll},
           Row{"", {"secrets"}, {"get", "watch"}, Use::kVolumes},
           Row{"", {"secrets"}, {"create", "update", "patch", "delete"}, Use::kWrites},
           Row{"", {"events"}, {"create", "patch"}, Use::kEvents},
           Row{kEso, {"externalsecrets", "pushsecrets"}, {"get", "list", "watch"}, Use::kMirror},
           Row{kEso,
               {"externalsecrets/status", "pushsecrets/status", "secretstores/status"},
               {"patch", "update"},
               Use::kMirror},
           Row{kEso, {"externalsecrets", "pushsecrets"}, {"patch"}, Use::kMirror},
           Row{kEso, {"externalsecrets/finalizers"}, {"update"}, Use::kMirror},
           Row{"", {"configmaps"}, {"get"}, Use::kMirror},
           // ClusterExternalSecrets, and the ExternalSecrets that are made from them.
           Row{kEso,
               {"clusterexternalsecrets"},
               {"get", "list", "watch", "patch"},
               Use::kMirror,
               Place::kAll},
           Row{kEso,
               {"externalsecrets"},
               {"create", "update", "delete"},
               Use::kMirror,
               Place::kAll},
           Row{kEso,
               {"clusterexternalsecrets/status", "clustersecretstores/status"},
               {"patch", "update"},
               Use::kMirror,
               Place::kAll},
           Row{kEso, {"clusterexternalsecrets/finalizers"}, {"update"}, Use::kMirror, Place::kAll},
           Row{"apps",
               {"daemonsets", "deployments", "statefulsets"},
               {"get", "list", "patch"},
               Use::kRestarts},
           Row{"coordination.k8s.io",
               {"leases"},
               {"get", "list", "watch", "create", "update", "patch", "delete"},
               Use::kMirror,
               Place::kOwn},
           Row{"",
               {"configmaps"},
               {"get", "list", "watch", "create", "patch"},
               Use::kSharing,
               Place::kOwn},
       }) {
    Add(row, rights);
  }
  return rights;
}

Findings CheckRights(kube::Api& api, const Agent& agent, const kube::CallOptions& options) {
  const std::string check = "rights";
  std::vector<Asked> asked;
  for (const Right& right : AllRights()) {
    if (!IsNeeded(right, agent)) continue;
    for (kube::AccessQuestion& question : QuestionsOf(right, agent)) {
      asked.push_back({.use = right.use, .question = std::move(question)});
    }
  }
  ForEach(asked.size(),
          [&](std::size_t i) { asked[i].allowed = kube::MayI(api, asked[i].question, options); });
  // What lacks, in the order of the table.
  std::vector<std::pair<std::pair<std::string, Use>, std::string>> lacking;
  std::optional<Error> unknown;
  int given = 0;
  for (const Asked& one : asked) {
    if (!one.allowed) {
      unknown = one.allowed.error();
    } else if (*one.allowed) {
      ++given;
    } else {
      const std::pair key{Describe(one.question), one.use};
      if (lacking.empty() || lacking.back().first != key) lacking.push_back({key, ""});
      std::string& verbs = lacking.back().second;
      verbs += (verbs.empty() ? "" : ", ") + one.question.verb;
    }
  }
  if (unknown) return {Skipped(check, "could not be asked: " + unknown->message)};
  Findings findings;
  for (const auto& [what, verbs] : lacking) {
    const std::string text =
        "no right to " + verbs + " " + what.first + ": " + std::string(Consequence(what.second));
    const std::string advice =
        "give the agent's account the rights of the chart (rbac.create) or of manifests/rbac";
    findings.push_back(IsSerious(what.second, agent) ? Failed(check, text, advice)
                                                     : Warning(check, text, advice));
  }
  if (findings.empty()) {
    findings.push_back(Ok(
        check, "all " + std::to_string(given) + " that are needed, in " + agent.scope.ToString()));
  }
  return findings;
}

}  // namespace escagent::doctor
