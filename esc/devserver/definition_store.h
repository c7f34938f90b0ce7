#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/environment_ref.h"

namespace escagent::devserver {

// One text that an environment's file has held.
struct Revision {
  int number = 0;  // from 1, one more for each change seen
  std::shared_ptr<const Secret> text;
  std::string etag;  // strong, quoted; the same for the same text
  Clock::WallTime created;
};

// The environments of the server: DIR/organization/project/environment.yaml.
//
// Files are read anew for each request, and every text that differs from the last one seen is a new
// revision; earlier ones are kept in memory (up to kMaxRevisions and kMaxHistorySize for each
// environment), so they can be opened by number for as long as the server runs. Thread-safe.
class DefinitionStore {
 public:
  static constexpr std::size_t kMaxRevisions = 200;
  static constexpr std::size_t kMaxHistorySize = std::size_t{64} << 20;

  struct Entry {
    std::string organization;
    std::string project;
    std::string environment;
    Clock::WallTime modified;
  };

  // `clock` is borrowed.
  DefinitionStore(std::string directory, const Clock& clock);
  DefinitionStore(const DefinitionStore&) = delete;
  DefinitionStore& operator=(const DefinitionStore&) = delete;

  // The revision that `ref.version` names: a number, "latest" or empty. NOT_FOUND for an
  // environment without a file and for other versions, INVALID_ARGUMENT for names that ESC does
  // not allow.
  Result<Revision> Get(const esc::EnvironmentRef& ref);
  // Replaces the newest revision, on disk too. ABORTED when its ETag is not `etag`, unless that is
  // empty. Of two that update an environment at the same time the second one sees what the first
  // wrote. The same text again makes no revision.
  Result<Revision> Update(const esc::EnvironmentRef& ref, const Secret& text,
                          std::string_view etag);
  // All that are kept, the newest first.
  Result<std::vector<Revision>> History(const esc::EnvironmentRef& ref);

  // The environments of one organization, or of all when it is empty; sorted.
  std::vector<Entry> List(std::string_view organization) const;
  std::vector<std::string> Organizations() const;

 private:
  struct Environment {
    std::vector<Revision> revisions;
  };

  // Reads the file and takes its text into the history. Gives the environment's key, which has at
  // least one revision then.
  Result<std::string> Observe(const esc::EnvironmentRef& ref);
  Result<Revision> Write(const esc::EnvironmentRef& ref, const Secret& text, std::string_view etag);
  std::string PathOf(const esc::EnvironmentRef& ref) const;
  static int LatestNumber(const Environment& environment);  // 0: it has none
  static bool IsLatest(const Environment& environment, const Secret& text);
  void Record(Environment& environment, Secret text, bool settled) REQUIRES(mutex_);

  const std::string directory_;
  const Clock& clock_;
  Mutex mutex_;
  CondVar written_;
  std::set<std::string> writing_ GUARDED_BY(mutex_);  // environments with an update under way
  std::map<std::string, Environment> environments_ GUARDED_BY(mutex_);
};

}  // namespace escagent::devserver
