#include "esc/devserver/environment_state.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/strings.h"
#include "esc/devserver/stored_json.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

json RevisionToJson(const Revision& revision) {
  json document = {{"number", revision.number},
                   {"etag", revision.etag},
                   {"created", StoredTime(revision.created)},
                   {"login", revision.login}};
  if (revision.retraction) {
    document["retraction"] = {{"replacement", revision.retraction->replacement},
                              {"at", StoredTime(revision.retraction->at)},
                              {"login", revision.retraction->login},
                              {"reason", revision.retraction->reason}};
  }
  return document;
}

bool ReadRevision(const json& document, Revision& revision) {
  if (!HasShape(document, {{"number", 0}, {"etag", ""}, {"created", 0}, {"login", ""}})) {
    return false;
  }
  revision.number = document.value("number", 0);
  revision.etag = document.value("etag", "");
  revision.created = TimeOf(document, "created");
  revision.login = document.value("login", "");
  if (const auto found = document.find("retraction"); found != document.end()) {
    if (!HasShape(*found, {{"replacement", 0}, {"at", 0}, {"login", ""}, {"reason", ""}})) {
      return false;
    }
    revision.retraction = Retraction{.replacement = found->value("replacement", 0),
                                     .at = TimeOf(*found, "at"),
                                     .login = found->value("login", ""),
                                     .reason = found->value("reason", "")};
  }
  return revision.number > 0;
}

bool ReadTag(const json& document, RevisionTag& tag) {
  if (!HasShape(document, {{"revision", 0}, {"created", 0}, {"modified", 0}, {"login", ""}})) {
    return false;
  }
  tag = {.revision = document.value("revision", 0),
         .created = TimeOf(document, "created"),
         .modified = TimeOf(document, "modified"),
         .login = document.value("login", "")};
  return true;
}

bool ReadTag(const json& document, EnvironmentTag& tag) {
  if (!HasShape(document, {{"value", ""}, {"created", 0}, {"modified", 0}, {"login", ""}})) {
    return false;
  }
  tag = {.value = document.value("value", ""),
         .created = TimeOf(document, "created"),
         .modified = TimeOf(document, "modified"),
         .login = document.value("login", "")};
  return true;
}

template <class T>
bool ReadMap(const json& document, const char* member, std::map<std::string, T>& out) {
  const json map = document.value(member, json::object());
  return std::ranges::all_of(
      map.items(), [&](const auto& item) { return ReadTag(item.value(), out[item.key()]); });
}

}  // namespace

const Revision* EnvironmentState::Find(int number) const {
  const auto found = std::ranges::find(revisions, number, &Revision::number);
  return found == revisions.end() ? nullptr : &*found;
}

int EnvironmentState::NumberOf(std::string_view version) const {
  if (version.empty() || version == kLatest) {
    return revisions.empty() ? 0 : revisions.back().number;
  }
  int number = 0;
  const char* const end = version.data() + version.size();
  const auto [last, error] = std::from_chars(version.data(), end, number);
  if (error == std::errc() && last == end) return number;
  const auto tag = revision_tags.find(std::string(version));
  return tag == revision_tags.end() ? 0 : tag->second.revision;
}

bool EnvironmentState::IsLatest(const Secret& text) const {
  return !revisions.empty() && revisions.back().text->Equals(text);
}

void EnvironmentState::Append(Secret text, std::string login, Clock::WallTime now) {
  if (revisions.empty() && last_number == 0) created = now;
  Revision revision;
  revision.number = ++last_number;
  revision.etag = "\"" + Sha256Hex(text.Reveal()).substr(0, 32) + "\"";
  revision.text = std::make_shared<const Secret>(std::move(text));
  revision.created = now;
  revision.login = std::move(login);
  revisions.push_back(std::move(revision));
  std::size_t size = 0;
  for (const Revision& kept : revisions) size += kept.text->Size();
  const auto is_tagged = [this](const Revision& kept) {
    return std::ranges::any_of(revision_tags,
                               [&](const auto& tag) { return tag.second.revision == kept.number; });
  };
  for (auto it = revisions.begin();
       it + 1 < revisions.end() && (revisions.size() > kMaxRevisions || size > kMaxHistorySize);) {
    if (is_tagged(*it)) {
      ++it;
      continue;
    }
    size -= it->text->Size();
    it = revisions.erase(it);
  }
}

json StateToJson(const EnvironmentState& state) {
  json document = {{"generation", state.generation},
                   {"created", StoredTime(state.created)},
                   {"lastNumber", state.last_number},
                   {"revisions", json::array()},
                   {"revisionTags", json::object()},
                   {"tags", json::object()},
                   {"webhooks", StoredWebhooks(state.webhooks)},
                   {"deletionProtected", state.deletion_protected},
                   {"rotations", state.rotations}};
  for (const Revision& revision : state.revisions) {
    document["revisions"].push_back(RevisionToJson(revision));
  }
  for (const auto& [name, tag] : state.revision_tags) {
    document["revisionTags"][name] = {{"revision", tag.revision},
                                      {"created", StoredTime(tag.created)},
                                      {"modified", StoredTime(tag.modified)},
                                      {"login", tag.login}};
  }
  for (const auto& [name, tag] : state.tags) {
    document["tags"][name] = {{"value", tag.value},
                              {"created", StoredTime(tag.created)},
                              {"modified", StoredTime(tag.modified)},
                              {"login", tag.login}};
  }
  return document;
}

Result<EnvironmentState> StateFromJson(const json& document) {
  const auto bad = [] { return InvalidArgument("it is not what this program writes"); };
  if (!HasShape(document, {{"generation", 0},
                           {"created", 0},
                           {"lastNumber", 0},
                           {"revisions", json::array()},
                           {"revisionTags", json::object()},
                           {"tags", json::object()},
                           {"webhooks", json::object()},
                           {"deletionProtected", false},
                           {"rotations", json::array()}})) {
    return bad();
  }
  EnvironmentState state;
  state.generation = document.value("generation", std::uint64_t{0});
  state.created = TimeOf(document, "created");
  state.last_number = document.value("lastNumber", 0);
  state.deletion_protected = document.value("deletionProtected", false);
  state.rotations = document.value("rotations", json::array());
  const json revisions = document.value("revisions", json::array());
  for (const json& item : revisions) {
    if (!ReadRevision(item, state.revisions.emplace_back())) return bad();
  }
  if (!ReadMap(document, "revisionTags", state.revision_tags) ||
      !ReadMap(document, "tags", state.tags) ||
      !ReadWebhooks(document.value("webhooks", json::object()), state.webhooks)) {
    return bad();
  }
  return state;
}

}  // namespace escagent::devserver
