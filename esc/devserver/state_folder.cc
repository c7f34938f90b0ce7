#include "esc/devserver/state_folder.h"

#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "esc/devserver/random.h"
#include "esc/eval/syntax.h"

namespace escagent::devserver {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kMode = 0600;
constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr const char* kStateName = "/state.json";

std::string TextName(const std::string& folder, int number) {
  return folder + "/" + std::to_string(number) + ".yaml";
}

bool IsOnDisk(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

Status StateFolder::Prepare(const std::string& folder) {
  const auto cannot = [&](const Error& error) {
    return FailedPrecondition("keep history, tags and settings in " + folder + ": " +
                              error.message);
  };
  if (const Status made = MakeFolderDurably(folder); !made) return cannot(made.error());
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return cannot(ErrnoError(errno, "write there").error());
  }
  // What a removal left when it was interrupted.
  std::error_code ignored;
  fs::remove_all(folder + "/removed", ignored);
  return {};
}

StateFolder::StateFolder(std::string folder)
    : folder_(std::move(folder)), lock_(folder_.empty() ? "" : folder_ + "/lock") {}

std::string StateFolder::PathOf(const std::string& key) const {
  return folder_ + "/environments/" + key;
}

FileStamp StateFolder::StampOf(const std::string& key) const {
  return keeps() ? StampOfFile(PathOf(key) + kStateName) : FileStamp();
}

Result<EnvironmentState> StateFolder::Load(const std::string& key,
                                           const EnvironmentState* known) const {
  const std::string path = PathOf(key);
  const std::string file = path + kStateName;
  if (!keeps() || !IsOnDisk(file)) return EnvironmentState();
  const auto broken = [&](Error error) {
    error.code = Code::kInternal;
    return std::unexpected(Annotate(
        std::move(error), "read the history of " + key + " (remove " + path + " to begin anew)"));
  };
  auto text = ReadFile(file);
  if (!text) return broken(text.error());
  auto document = ParseJson(text->Reveal(), file);
  if (!document) return broken(document.error());
  auto state = StateFromJson(*document);
  Scrub(*document);
  if (!state) return broken(state.error());
  for (Revision& revision : state->revisions) {
    const Revision* same = known == nullptr ? nullptr : known->Find(revision.number);
    if (same != nullptr && same->etag == revision.etag) {
      revision.text = same->text;
      continue;
    }
    auto kept = ReadFile(TextName(path, revision.number), eval::kMaxDefinitionSize);
    if (!kept) return broken(kept.error());
    revision.text = std::make_shared<const Secret>(*std::move(kept));
  }
  return state;
}

Status StateFolder::Save(const std::string& key, EnvironmentState& state) const {
  ++state.generation;
  if (!keeps()) return {};
  const std::string path = PathOf(key);
  ESC_RETURN_IF_ERROR(MakeFolderDurably(path));
  // The texts of the newest revisions; those before them were written with them.
  for (auto it = state.revisions.rbegin(); it != state.revisions.rend(); ++it) {
    const std::string file = TextName(path, it->number);
    // The newest may be there from a try that was interrupted, with another text.
    if (it != state.revisions.rbegin() && IsOnDisk(file)) break;
    ESC_RETURN_IF_ERROR(WriteFileDurably(file, it->text->Reveal(), kMode));
  }
  // A stamp of its own for each version, as times are coarse and the numbers of files come back.
  nlohmann::json document = StateToJson(state);
  std::string text = DumpJson(document);
  const Status written =
      WriteFileDurably(path + kStateName, text, kMode,
                       static_cast<std::int64_t>(state.generation % kNanosecondsPerSecond));
  Scrub(document);
  WipeString(text);
  ESC_RETURN_IF_ERROR(written);
  RemoveForgottenTexts(path, state);
  return {};
}

void StateFolder::RemoveForgottenTexts(const std::string& path,
                                       const EnvironmentState& state) const {
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".yaml") continue;
    const std::string name = it->path().stem().string();
    int number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (state.Find(number) == nullptr) ::unlink(it->path().c_str());
  }
}

Status StateFolder::Remove(const std::string& key) const {
  if (!keeps() || !IsOnDisk(PathOf(key))) return {};
  const std::string removed = folder_ + "/removed";
  ESC_RETURN_IF_ERROR(MakeFolderDurably(removed));
  // Out of the way in one step, whole.
  const std::string target = removed + "/" + RandomHex(8);
  if (std::rename(PathOf(key).c_str(), target.c_str()) != 0) {
    return ErrnoError(errno, "remove the history of " + key);
  }
  ESC_RETURN_IF_ERROR(SyncFolder(fs::path(PathOf(key)).parent_path()));
  std::error_code ignored;
  fs::remove_all(target, ignored);
  return {};
}

}  // namespace escagent::devserver
