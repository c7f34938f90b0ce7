#include "agent/store/store_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/yaml.h"

namespace escagent::store {
namespace {

// Whether this is a Kubernetes object of another kind, as in a folder with a whole application's
// manifests. A kind that External Secrets Operator does not have is a slip, and a problem.
bool IsOtherObject(const YAML::Node& node) {
  if (!node.IsMap() || !node["apiVersion"].IsDefined() || !node["apiVersion"].IsScalar() ||
      !node["kind"].IsDefined() || !node["kind"].IsScalar()) {
    return false;
  }
  if (!node["apiVersion"].Scalar().starts_with("external-secrets.io/")) return true;
  static constexpr std::array<std::string_view, 4> kOthers = {
      "ExternalSecret", "ClusterExternalSecret", "PushSecret", "ClusterPushSecret"};
  return std::ranges::find(kOthers, node["kind"].Scalar()) != kOthers.end();
}

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

// File times come in ticks of some milliseconds (of seconds, on some file systems): a second write
// in the tick of the first leaves the time as it is.
constexpr std::chrono::seconds kTick{2};

bool IsSettled(const timespec& changed) {
  // Compared with what the kernel wrote, so this is the real clock in tests too.
  const auto age =
      std::chrono::system_clock::now().time_since_epoch() -
      (std::chrono::seconds(changed.tv_sec) + std::chrono::nanoseconds(changed.tv_nsec));
  return age > kTick;
}

// The names of the folder's YAML files, sorted.
Result<std::vector<std::string>> ListYamlFiles(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator it(directory, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::filesystem::path name = it->path().filename();
    if (name.string().starts_with('.')) continue;
    if (name.extension() == ".yaml" || name.extension() == ".yml") names.push_back(name.string());
  }
  if (error) return ErrnoError(error.value(), "read the stores in " + directory);
  std::ranges::sort(names);
  return names;
}

bool SameTime(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

std::string JoinProblems(const std::vector<std::string>& problems) {
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "; ") + problem;
  return text;
}

}  // namespace

bool StoreFiles::Stamp::operator==(const Stamp& other) const {
  return device == other.device && inode == other.inode && size == other.size &&
         SameTime(modified, other.modified) && SameTime(changed, other.changed);
}

Result<std::shared_ptr<const StoreFiles>> StoreFiles::Scan(
    const std::string& directory, const std::shared_ptr<const StoreFiles>& previous,
    const Check& check) {
  ESC_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListYamlFiles(directory));
  auto next = std::make_shared<StoreFiles>();
  bool changed = previous == nullptr || previous->files_.size() != names.size();
  for (const std::string& name : names) {
    FilePtr before;
    if (previous) {
      const auto found = previous->files_.find(name);
      if (found != previous->files_.end()) before = found->second;
    }
    FilePtr file = ReadStoreFile(directory, name, before, check);
    changed = changed || file != before;
    next->files_.emplace(name, std::move(file));
  }
  if (!changed) return previous;
  next->Index();
  return std::shared_ptr<const StoreFiles>(std::move(next));
}

StoreFiles::FilePtr StoreFiles::ReadStoreFile(const std::string& directory, const std::string& name,
                                              const FilePtr& previous, const Check& check) {
  const std::string path = directory + "/" + name;
  auto file = std::make_shared<File>();
  if (previous) file->last_ids = previous->last_ids;
  struct stat st = {};
  // Before reading: a write in between makes the next look differ, so it is not missed.
  if (stat(path.c_str(), &st) != 0) {
    file->problem = ErrnoError(errno, "read " + path).error().message;
    return file;
  }
  file->stamp = {.device = st.st_dev,
                 .inode = st.st_ino,
                 .size = st.st_size,
                 .modified = st.st_mtim,
                 .changed = st.st_ctim};
  file->settled = IsSettled(st.st_ctim);
  if (previous && previous->settled && previous->stamp == file->stamp) return previous;
  const Result<Secret> text = ReadFile(path, kMaxFile);
  if (!text) {
    file->problem = text.error().message;
    return file;
  }
  const auto documents = ParseYamlStream(text->Reveal(), path);
  if (!documents) {
    file->problem = documents.error().message;
    return file;
  }
  ParseDocuments(name, *documents, check, *file);
  return file;
}

void StoreFiles::ParseDocuments(const std::string& name, const std::vector<YamlDocument>& documents,
                                const Check& check, File& file) {
  file.last_ids.clear();
  for (const auto& [node, line] : documents) {
    if (node.IsNull() || IsOtherObject(node)) continue;
    Document document;
    document.where = name + ":" + std::to_string(line);
    document.store = ParseSecretStore(node);
    if (document.store.problems.empty()) check(document.store.spec, document.store.problems);
    const StoreId& id = document.store.spec.id;
    if (!id.name.empty()) {
      document.where += " (" + id.ToString() + ")";
      file.last_ids.push_back(id);
    }
    file.documents.push_back(std::move(document));
  }
}

void StoreFiles::Index() {
  for (const auto& [name, file] : files_) {
    for (const Document& document : file->documents) {
      const StoreId& id = document.store.spec.id;
      if (!id.name.empty()) by_id_[id].push_back(&document);
    }
  }
}

std::vector<std::string> StoreFiles::Problems() const {
  std::vector<std::string> all;
  for (const auto& [name, file] : files_) {
    if (!file->problem.empty()) all.push_back(file->problem);
    for (const Document& document : file->documents) {
      for (const std::string& problem : document.store.problems) {
        all.push_back(document.where + ": " + problem);
      }
    }
  }
  for (const auto& [id, documents] : by_id_) {
    for (std::size_t i = 1; i < documents.size(); ++i) {
      all.push_back(documents[i]->where + ": is already in " + documents[0]->where);
    }
  }
  return all;
}

Result<const SecretStoreSpec*> StoreFiles::Find(const StoreId& id) const {
  const std::string what = "read " + id.ToString() + ": ";
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) {
    const std::vector<const Document*>& documents = found->second;
    if (documents.size() > 1) {
      return FailedPrecondition(what + "it is there more than once: " + documents[0]->where +
                                " and " + documents[1]->where + "; remove one");
    }
    const Document& document = *documents.front();
    if (document.store.problems.empty()) return &document.store.spec;
    return FailedPrecondition(what + document.where + ": " + JoinProblems(document.store.problems));
  }
  std::vector<std::string> broken;
  for (const auto& [name, file] : files_) {
    if (file->problem.empty()) continue;
    if (std::ranges::find(file->last_ids, id) != file->last_ids.end()) {
      return FailedPrecondition(what + file->problem);
    }
    broken.push_back(file->problem);
  }
  std::string message = what + "there is no such store";
  if (!broken.empty()) message += "; files that cannot be read: " + JoinProblems(broken);
  return NotFound(std::move(message));
}

std::vector<const SecretStoreSpec*> StoreFiles::All() const {
  std::vector<const SecretStoreSpec*> stores;
  for (const auto& [id, documents] : by_id_) {
    if (documents.size() == 1 && documents[0]->store.problems.empty()) {
      stores.push_back(&documents[0]->store.spec);
    }
  }
  return stores;
}

}  // namespace escagent::store
