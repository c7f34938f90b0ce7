#include "esc/devserver/definition_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "esc/devserver/durable_file.h"
#include "esc/eval/syntax.h"

namespace escagent::devserver {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".yaml";
constexpr const char* kRevisionCreated = "environment_revision_created";
// A file that was emptied this recently is probably about to be written.
constexpr std::chrono::seconds kSettleTime{1};
constexpr mode_t kNewFileMode = 0600;  // definitions hold secrets

Clock::WallTime ModifiedAt(const fs::path& path) {
  std::error_code error;
  const fs::file_time_type time = fs::last_write_time(path, error);
  if (error) return {};
  return std::chrono::time_point_cast<Clock::WallTime::duration>(
      fs::file_time_type::clock::to_sys(time));
}

// The names of the folders or files in a folder, sorted; none when it cannot be read.
std::vector<std::string> Children(const fs::path& folder, bool folders) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) == folders) names.push_back(it->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

esc::EnvironmentRef WithoutVersion(esc::EnvironmentRef ref) {
  ref.version.clear();
  return ref;
}

std::string KeyOf(const esc::EnvironmentRef& ref) { return WithoutVersion(ref).ToString(); }

mode_t ModeOf(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : kNewFileMode;
}

}  // namespace

DefinitionStore::DefinitionStore(std::string directory, const Clock& clock,
                                 std::string state_folder)
    : directory_(std::move(directory)), clock_(clock), folder_(std::move(state_folder)) {}

std::string DefinitionStore::PathOf(const esc::EnvironmentRef& ref) const {
  return fs::path(directory_) / ref.organization / ref.project /
         (ref.environment + std::string(kExtension));
}

Result<Secret> DefinitionStore::ReadText(const esc::EnvironmentRef& ref) const {
  auto text = ReadFile(PathOf(ref), eval::kMaxDefinitionSize);
  if (!text && text.error().code == Code::kNotFound) {
    return NotFound("environment '" + KeyOf(ref) + "' not found");
  }
  return text;
}

bool DefinitionStore::IsRecorded(const EnvironmentState& state, const Secret& text,
                                 const std::string& path) const {
  if (state.IsLatest(text)) return true;
  // Editors and shells empty a file before they write it.
  return text.Empty() && !state.revisions.empty() &&
         clock_.WallNow() - ModifiedAt(path) <= kSettleTime;
}

DefinitionStore::Known DefinitionStore::Recall(const std::string& key) {
  MutexLock lock(mutex_);
  const auto found = known_.find(key);
  return found == known_.end() ? Known() : found->second;
}

void DefinitionStore::Tell(const Events& events) const {
  if (!listener_) return;
  for (const StoreEvent& event : events) listener_(event);
}

Result<DefinitionStore::Snapshot> DefinitionStore::Describe(const esc::EnvironmentRef& ref) {
  ESC_RETURN_IF_ERROR(ref.Validate("read environment"));
  const std::string key = KeyOf(ref);
  if (const Known known = Recall(key); known.state && known.stamp == folder_.StampOf(key)) {
    ESC_ASSIGN_OR_RETURN(const Secret text, ReadText(ref));
    if (IsRecorded(*known.state, text, PathOf(ref))) return known.state;
  }
  Events events;
  auto state = [&]() -> Result<Snapshot> {
    ESC_ASSIGN_OR_RETURN(const auto hold, folder_.Lock());
    return Observe(ref, events);
  }();
  Tell(events);
  return state;
}

Result<DefinitionStore::Snapshot> DefinitionStore::Observe(const esc::EnvironmentRef& ref,
                                                           Events& events) {
  ESC_ASSIGN_OR_RETURN(Secret text, ReadText(ref));
  const std::string key = KeyOf(ref);
  Known known = Recall(key);
  if (!known.state || known.stamp != folder_.StampOf(key)) {
    ESC_ASSIGN_OR_RETURN(EnvironmentState loaded, folder_.Load(key, known.state.get()));
    known = {std::make_shared<const EnvironmentState>(std::move(loaded)), folder_.StampOf(key)};
    MutexLock lock(mutex_);
    known_[key] = known;
  }
  if (IsRecorded(*known.state, text, PathOf(ref))) return known.state;
  EnvironmentState state = *known.state;
  state.Append(std::move(text), kEditor, clock_.WallNow());
  // What was there before the server looked is no news.
  if (state.last_number > 1) {
    events.push_back({kRevisionCreated, WithoutVersion(ref), state.last_number, "", kEditor});
  }
  return Save(key, std::move(state));
}

Result<DefinitionStore::Snapshot> DefinitionStore::Save(const std::string& key,
                                                        EnvironmentState state) {
  ESC_RETURN_IF_ERROR(folder_.Save(key, state));
  const auto snapshot = std::make_shared<const EnvironmentState>(std::move(state));
  const FileStamp stamp = folder_.StampOf(key);
  MutexLock lock(mutex_);
  known_[key] = {snapshot, stamp};
  return snapshot;
}

Result<Revision> DefinitionStore::Get(const esc::EnvironmentRef& ref) {
  ESC_ASSIGN_OR_RETURN(const Snapshot state, Describe(ref));
  const Revision* revision = state->Find(state->NumberOf(ref.version));
  if (revision == nullptr) {
    return NotFound("environment '" + KeyOf(ref) + "' has no version '" + ref.version + "'");
  }
  if (revision->retraction) {
    return NotFound("version '" + ref.version + "' of environment '" + KeyOf(ref) +
                    "' was retracted; use revision " +
                    std::to_string(revision->retraction->replacement));
  }
  return *revision;
}

Result<Revision> DefinitionStore::Update(const esc::EnvironmentRef& ref, const Secret& text,
                                         std::string_view etag, const std::string& login) {
  return Rewrite(
      ref,
      [&](const EnvironmentState& state) -> Result<Secret> {
        const Revision& latest = state.revisions.back();
        if (etag.empty() || latest.etag == etag) return text.Clone();
        return MakeError(Code::kAborted, "environment '" + KeyOf(ref) +
                                             "' was changed since it was read; its revision is " +
                                             std::to_string(latest.number));
      },
      login);
}

Result<Revision> DefinitionStore::Rewrite(const esc::EnvironmentRef& ref, const NextText& next,
                                          const std::string& login) {
  ESC_RETURN_IF_ERROR(ref.Validate("update environment"));
  Events events;
  auto revision = [&]() -> Result<Revision> {
    ESC_ASSIGN_OR_RETURN(const auto hold, folder_.Lock());
    return Write(ref, next, login, events);
  }();
  Tell(events);
  return revision;
}

// The file first: when it is there, but not yet the record of it, whoever looks next records it.
Result<Revision> DefinitionStore::Write(const esc::EnvironmentRef& ref, const NextText& next,
                                        const std::string& login, Events& events) {
  ESC_ASSIGN_OR_RETURN(const Snapshot before, Observe(ref, events));
  EnvironmentState state = *before;
  ESC_ASSIGN_OR_RETURN(Secret text, next(state));
  const bool is_new = !before->IsLatest(text);
  if (is_new) {
    ESC_RETURN_IF_ERROR(WriteFileDurably(PathOf(ref), text.Reveal(), ModeOf(PathOf(ref))));
    state.Append(std::move(text), login, clock_.WallNow());
  }
  ESC_ASSIGN_OR_RETURN(const Snapshot after, Save(KeyOf(ref), std::move(state)));
  if (is_new) {
    events.push_back({kRevisionCreated, WithoutVersion(ref), after->last_number, "", login});
  }
  return after->revisions.back();
}

Result<DefinitionStore::Snapshot> DefinitionStore::Modify(const esc::EnvironmentRef& ref,
                                                          const Change& change, StoreEvent event) {
  ESC_RETURN_IF_ERROR(ref.Validate("change environment"));
  Events events;
  auto after = [&]() -> Result<Snapshot> {
    ESC_ASSIGN_OR_RETURN(const auto hold, folder_.Lock());
    ESC_ASSIGN_OR_RETURN(const Snapshot before, Observe(ref, events));
    EnvironmentState state = *before;
    ESC_RETURN_IF_ERROR(change(state));
    return Save(KeyOf(ref), std::move(state));
  }();
  if (after && !event.kind.empty()) events.push_back(std::move(event));
  Tell(events);
  return after;
}

Status DefinitionStore::Create(const esc::EnvironmentRef& ref, EnvironmentState state,
                               const std::string& login) {
  ESC_RETURN_IF_ERROR(ref.Validate("create environment"));
  const auto created = [&]() -> Status {
    ESC_ASSIGN_OR_RETURN(const auto hold, folder_.Lock());
    const std::string path = PathOf(ref);
    if (::access(path.c_str(), F_OK) == 0) {
      return MakeError(Code::kAlreadyExists, "environment '" + KeyOf(ref) + "' already exists");
    }
    // Of one that was there before, and of a deletion that was interrupted.
    ESC_RETURN_IF_ERROR(folder_.Remove(KeyOf(ref)));
    ESC_RETURN_IF_ERROR(MakeFolderDurably(fs::path(path).parent_path()));
    ESC_RETURN_IF_ERROR(
        WriteFileDurably(path, state.revisions.back().text->Reveal(), kNewFileMode));
    ESC_RETURN_IF_ERROR(Save(KeyOf(ref), std::move(state)));
    return {};
  }();
  if (created) Tell({{"environment_created", WithoutVersion(ref), 0, "", login}});
  return created;
}

Status DefinitionStore::Delete(const esc::EnvironmentRef& ref, const std::string& login) {
  ESC_RETURN_IF_ERROR(ref.Validate("delete environment"));
  Events events;
  const auto deleted = [&]() -> Status {
    ESC_ASSIGN_OR_RETURN(const auto hold, folder_.Lock());
    ESC_ASSIGN_OR_RETURN(const Snapshot state, Observe(ref, events));
    if (state->deletion_protected) {
      return FailedPrecondition("environment '" + KeyOf(ref) +
                                "' is protected from deletion; change its settings first");
    }
    return Remove(ref);
  }();
  if (deleted) events.push_back({"environment_deleted", WithoutVersion(ref), 0, "", login});
  Tell(events);
  return deleted;
}

Status DefinitionStore::Remove(const esc::EnvironmentRef& ref) {
  const std::string path = PathOf(ref);
  if (::unlink(path.c_str()) != 0) return ErrnoError(errno, "remove " + path);
  ESC_RETURN_IF_ERROR(SyncFolder(fs::path(path).parent_path()));
  {
    MutexLock lock(mutex_);
    known_.erase(KeyOf(ref));
  }
  return folder_.Remove(KeyOf(ref));
}

std::vector<DefinitionStore::Entry> DefinitionStore::List(std::string_view organization) const {
  std::vector<Entry> entries;
  for (const std::string& org : Organizations()) {
    if (!organization.empty() && org != organization) continue;
    const fs::path org_path = fs::path(directory_) / org;
    for (const std::string& project : Children(org_path, /*folders=*/true)) {
      for (const std::string& file : Children(org_path / project, /*folders=*/false)) {
        if (!file.ends_with(kExtension)) continue;
        const std::string name = file.substr(0, file.size() - kExtension.size());
        const esc::EnvironmentRef ref{org, project, name, ""};
        if (!ref.Validate("list")) continue;
        entries.push_back({ref, ModifiedAt(org_path / project / file)});
      }
    }
  }
  return entries;
}

std::vector<std::string> DefinitionStore::Organizations() const {
  std::vector<std::string> names = Children(directory_, /*folders=*/true);
  // Other folders, ours among them, are no organizations.
  std::erase_if(names, [](const std::string& name) {
    return !esc::EnvironmentRef{name, "project", "environment", ""}.Validate("list");
  });
  return names;
}

}  // namespace escagent::devserver
