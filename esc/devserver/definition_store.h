#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/devserver/environment_state.h"
#include "esc/devserver/state_folder.h"
#include "esc/environment_ref.h"

namespace escagent::devserver {

// Something that has happened to an environment.
struct StoreEvent {
  // As ESC's webhooks call it: "environment_created", "environment_revision_created", ...
  std::string kind;
  esc::EnvironmentRef ref;
  int revision = 0;    // where it is about one
  std::string name{};  // of a tag
  std::string login{};
};

// The environments of the server: DIR/organization/project/environment.yaml.
//
// Files are read anew for each request, and every text that differs from the last one seen is a new
// revision. Earlier ones, tags and settings are kept in a StateFolder. Whoever records a revision
// holds the folder's lock and has read the file under it, so that of two writers, threads or
// processes, none loses what the other did, and nobody brings back an older text. Thread-safe.
class DefinitionStore {
 public:
  // Who makes the revisions that are edits on disk.
  static constexpr const char* kEditor = "developer";

  using Snapshot = std::shared_ptr<const EnvironmentState>;
  // Changes a state, or says why not.
  using Change = std::function<Status(EnvironmentState&)>;
  // Makes the next text of the newest one, and may change the rest of the state; or says why not.
  // Called under the folder's lock: it must be quick, and must not use the store.
  using NextText = std::function<Result<Secret>(EnvironmentState&)>;

  struct Entry {
    esc::EnvironmentRef ref;
    Clock::WallTime modified;
  };

  // `clock` is borrowed. `state_folder` as StateFolder has it; empty: nothing outlives this object.
  DefinitionStore(std::string directory, const Clock& clock, std::string state_folder = "");
  DefinitionStore(const DefinitionStore&) = delete;
  DefinitionStore& operator=(const DefinitionStore&) = delete;

  // Told of all that happens, on the thread that made it happen. Set before others use the store.
  void SetListener(std::function<void(const StoreEvent&)> listener) {
    listener_ = std::move(listener);
  }

  // The state now, with at least one revision. NOT_FOUND for an environment without a file,
  // INVALID_ARGUMENT for names that ESC does not allow. The version does not matter.
  Result<Snapshot> Describe(const esc::EnvironmentRef& ref);
  // The revision that `ref.version` names: a number, a tag, "latest" or empty. NOT_FOUND also for
  // versions that there are not, or that were retracted.
  Result<Revision> Get(const esc::EnvironmentRef& ref);
  // Replaces the newest revision, on disk too. ABORTED when its ETag is not `etag`, unless that is
  // empty. The same text again makes no revision.
  Result<Revision> Update(const esc::EnvironmentRef& ref, const Secret& text, std::string_view etag,
                          const std::string& login = kEditor);
  // The same with a text that is made of the newest one, so that nothing comes in between.
  Result<Revision> Rewrite(const esc::EnvironmentRef& ref, const NextText& next,
                           const std::string& login = kEditor);
  // Changes everything but the newest revision; `event` is told then.
  Result<Snapshot> Modify(const esc::EnvironmentRef& ref, const Change& change, StoreEvent event);
  // Makes an environment with a state that has at least one revision. ALREADY_EXISTS.
  Status Create(const esc::EnvironmentRef& ref, EnvironmentState state, const std::string& login);
  // FAILED_PRECONDITION when it is protected from deletion.
  Status Delete(const esc::EnvironmentRef& ref, const std::string& login);

  // The environments of one organization, or of all when it is empty; sorted.
  std::vector<Entry> List(std::string_view organization) const;
  std::vector<std::string> Organizations() const;

 private:
  struct Known {
    Snapshot state;
    FileStamp stamp;
  };
  using Events = std::vector<StoreEvent>;

  // These hold the folder's lock.
  Result<Snapshot> Observe(const esc::EnvironmentRef& ref, Events& events);
  Result<Revision> Write(const esc::EnvironmentRef& ref, const NextText& next,
                         const std::string& login, Events& events);
  Status Remove(const esc::EnvironmentRef& ref);
  Result<Snapshot> Save(const std::string& key, EnvironmentState state);

  std::string PathOf(const esc::EnvironmentRef& ref) const;
  Result<Secret> ReadText(const esc::EnvironmentRef& ref) const;
  // Whether the file's text is the newest revision's, or nothing that should become one.
  bool IsRecorded(const EnvironmentState& state, const Secret& text, const std::string& path) const;
  Known Recall(const std::string& key);
  void Tell(const Events& events) const;

  const std::string directory_;
  const Clock& clock_;
  StateFolder folder_;
  std::function<void(const StoreEvent&)> listener_;
  Mutex mutex_;
  std::map<std::string, Known> known_ GUARDED_BY(mutex_);
};

}  // namespace escagent::devserver
