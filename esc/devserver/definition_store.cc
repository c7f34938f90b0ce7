#include "esc/devserver/definition_store.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "base/strings.h"
#include "esc/eval/syntax.h"

namespace escagent::devserver {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".yaml";
constexpr std::string_view kLatest = "latest";
// A file that was emptied this recently is probably about to be written.
constexpr std::chrono::seconds kSettleTime{1};

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

std::string EtagOf(std::string_view text) { return "\"" + Sha256Hex(text).substr(0, 32) + "\""; }

esc::EnvironmentRef WithoutVersion(esc::EnvironmentRef ref) {
  ref.version.clear();
  return ref;
}

}  // namespace

DefinitionStore::DefinitionStore(std::string directory, const Clock& clock)
    : directory_(std::move(directory)), clock_(clock) {}

Result<std::string> DefinitionStore::Observe(const esc::EnvironmentRef& ref) {
  ESC_RETURN_IF_ERROR(ref.Validate("read environment"));
  const std::string key = WithoutVersion(ref).ToString();
  const std::string path = PathOf(ref);
  while (true) {
    int latest = 0;
    {
      MutexLock lock(mutex_);
      const auto known = environments_.find(key);
      if (known != environments_.end()) latest = LatestNumber(known->second);
    }
    auto text = ReadFile(path, eval::kMaxDefinitionSize);
    if (!text) {
      if (text.error().code != Code::kNotFound) return std::unexpected(text.error());
      return NotFound("environment '" + key + "' not found");
    }
    const bool settled = clock_.WallNow() - ModifiedAt(path) > kSettleTime;
    MutexLock lock(mutex_);
    Environment& environment = environments_[key];
    // Whoever recorded meanwhile may have read after us: nobody brings back the text from before.
    if (LatestNumber(environment) != latest && !IsLatest(environment, *text)) continue;
    Record(environment, *std::move(text), settled);
    return key;
  }
}

std::string DefinitionStore::PathOf(const esc::EnvironmentRef& ref) const {
  return fs::path(directory_) / ref.organization / ref.project /
         (ref.environment + std::string(kExtension));
}

Result<Revision> DefinitionStore::Update(const esc::EnvironmentRef& ref, const Secret& text,
                                         std::string_view etag) {
  const std::string key = WithoutVersion(ref).ToString();
  {
    MutexLock lock(mutex_);
    while (writing_.contains(key)) written_.Wait(mutex_);
    writing_.insert(key);
  }
  Result<Revision> revision = Write(ref, text, etag);
  MutexLock lock(mutex_);
  writing_.erase(key);
  written_.NotifyAll();
  return revision;
}

Result<Revision> DefinitionStore::Write(const esc::EnvironmentRef& ref, const Secret& text,
                                        std::string_view etag) {
  ESC_ASSIGN_OR_RETURN(const std::string key, Observe(ref));
  {
    MutexLock lock(mutex_);
    const Revision& latest = environments_[key].revisions.back();
    if (!etag.empty() && latest.etag != etag) {
      return MakeError(Code::kAborted, "environment '" + key +
                                           "' was changed since it was read; its revision is " +
                                           std::to_string(latest.number));
    }
    if (IsLatest(environments_[key], text)) return latest;
  }
  ESC_RETURN_IF_ERROR(WriteFileAtomically(PathOf(ref), text.Reveal()));
  MutexLock lock(mutex_);
  Environment& environment = environments_[key];
  Record(environment, text.Clone(), /*settled=*/true);
  // Somebody may have edited the file since; what the caller wrote is the revision with its text.
  const auto written =
      std::ranges::find_if(environment.revisions.rbegin(), environment.revisions.rend(),
                           [&](const Revision& revision) { return revision.text->Equals(text); });
  return written != environment.revisions.rend() ? *written : environment.revisions.back();
}

int DefinitionStore::LatestNumber(const Environment& environment) {
  return environment.revisions.empty() ? 0 : environment.revisions.back().number;
}

bool DefinitionStore::IsLatest(const Environment& environment, const Secret& text) {
  return !environment.revisions.empty() && environment.revisions.back().text->Equals(text);
}

void DefinitionStore::Record(Environment& environment, Secret text, bool settled) {
  std::vector<Revision>& revisions = environment.revisions;
  if (IsLatest(environment, text)) return;
  // Editors and shells empty a file before they write it.
  if (!revisions.empty() && text.Empty() && !settled) return;
  Revision revision;
  revision.number = LatestNumber(environment) + 1;
  revision.etag = EtagOf(text.Reveal());
  revision.text = std::make_shared<const Secret>(std::move(text));
  revision.created = clock_.WallNow();
  revisions.push_back(std::move(revision));
  std::size_t size = 0;
  for (const Revision& kept : revisions) size += kept.text->Size();
  while (revisions.size() > 1 && (revisions.size() > kMaxRevisions || size > kMaxHistorySize)) {
    size -= revisions.front().text->Size();
    revisions.erase(revisions.begin());
  }
}

Result<Revision> DefinitionStore::Get(const esc::EnvironmentRef& ref) {
  ESC_ASSIGN_OR_RETURN(const std::string key, Observe(ref));
  MutexLock lock(mutex_);
  const std::vector<Revision>& revisions = environments_[key].revisions;
  if (ref.version.empty() || ref.version == kLatest) return revisions.back();
  int number = 0;
  const char* const end = ref.version.data() + ref.version.size();
  if (const auto [last, error] = std::from_chars(ref.version.data(), end, number);
      error == std::errc() && last == end) {
    const auto found = std::ranges::find(revisions, number, &Revision::number);
    if (found != revisions.end()) return *found;
  }
  return NotFound("environment '" + key + "' has no version '" + ref.version + "'");
}

Result<std::vector<Revision>> DefinitionStore::History(const esc::EnvironmentRef& ref) {
  ESC_ASSIGN_OR_RETURN(const std::string key, Observe(ref));
  MutexLock lock(mutex_);
  const std::vector<Revision>& kept = environments_[key].revisions;
  return std::vector<Revision>(kept.rbegin(), kept.rend());
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
        if (!esc::EnvironmentRef{org, project, name, ""}.Validate("list")) continue;
        entries.push_back({org, project, name, ModifiedAt(org_path / project / file)});
      }
    }
  }
  return entries;
}

std::vector<std::string> DefinitionStore::Organizations() const {
  return Children(directory_, /*folders=*/true);
}

}  // namespace escagent::devserver
