#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/devserver/webhook.h"

namespace escagent::devserver {

// Why a revision may not be used any more, and which one is used in its place.
struct Retraction {
  int replacement = 0;
  Clock::WallTime at{};
  std::string login{};
  std::string reason{};
};

// One text that an environment's file has held.
struct Revision {
  int number = 0;  // from 1, one more for each change seen
  std::shared_ptr<const Secret> text{};
  std::string etag{};  // strong, quoted; the same for the same text
  Clock::WallTime created{};
  std::string login{};  // who made it
  std::optional<Retraction> retraction{};
};

struct RevisionTag {
  int revision = 0;
  Clock::WallTime created{};
  Clock::WallTime modified{};
  std::string login{};
};

struct EnvironmentTag {
  std::string value{};
  Clock::WallTime created{};
  Clock::WallTime modified{};
  std::string login{};
};

// All that the server knows of an environment beside the text of its file. Copies share the texts.
struct EnvironmentState {
  // Built in: always the newest revision.
  static constexpr std::string_view kLatest = "latest";

  std::uint64_t generation = 0;  // one more each time it is saved
  Clock::WallTime created{};
  int last_number = 0;
  std::vector<Revision> revisions{};  // the oldest first
  std::map<std::string, RevisionTag> revision_tags{};
  std::map<std::string, EnvironmentTag> tags{};
  Webhooks webhooks{};
  bool deletion_protected = false;
  nlohmann::json rotations = nlohmann::json::array();  // events as the API tells them

  // Null when there is no such revision (any more).
  const Revision* Find(int number) const;
  // The number that a version means: itself, a tag, "latest" or nothing. 0 when there is none.
  int NumberOf(std::string_view version) const;
  bool IsLatest(const Secret& text) const;
  // Adds a revision with the next number, and forgets the oldest ones beyond the bounds that no tag
  // names.
  void Append(Secret text, std::string login, Clock::WallTime now);

  static constexpr std::size_t kMaxRevisions = 200;
  static constexpr std::size_t kMaxHistorySize = std::size_t{64} << 20;
};

// Without the texts of the revisions, which are files of their own. For the owner's eyes only: the
// secrets of webhooks are in it.
nlohmann::json StateToJson(const EnvironmentState& state);
// Revisions have no text yet. INVALID_ARGUMENT for what StateToJson() has not written.
Result<EnvironmentState> StateFromJson(const nlohmann::json& document);

}  // namespace escagent::devserver
