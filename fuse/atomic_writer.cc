#include "fuse/atomic_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuse/inode_number.h"
#include "fuse/name_table.h"
#include "fuse/path_rules.h"

namespace escagent::fuse {
namespace {

using std::chrono::system_clock;

constexpr const char* kData = "..data";
constexpr const char* kNewData = "..data_tmp";

Result<std::shared_ptr<const Generation>> Plan(const VolumeSpec& spec, std::uint64_t number) {
  NameTable names;
  return Generation::Create(spec, number, system_clock::now(), names);
}

// The number in "..1732460000"; nothing for another name.
std::optional<std::uint64_t> NumberOf(std::string_view name) {
  if (!name.starts_with("..")) return std::nullopt;
  name.remove_prefix(2);
  std::uint64_t number = 0;
  const auto [last, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool whole = error == std::errc() && last == name.data() + name.size();
  // As we write it, so that no two names are the same number.
  if (!whole || number > kMaxGeneration || name != std::to_string(number)) return std::nullopt;
  return number;
}

std::string FolderOf(std::uint64_t number) { return ".." + std::to_string(number); }

// Nothing when it is no symlink.
std::optional<std::string> LinkAt(int folder, const std::string& name) {
  std::array<char, 512> target;
  const ssize_t size = readlinkat(folder, name.c_str(), target.data(), target.size());
  if (size < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(size));
}

// One look at the root, and the steps of one rotation.
class Rotator {
 public:
  static Result<Rotator> Open(const UniqueFd& root, const ChownFunction& chown) {
    ESC_ASSIGN_OR_RETURN(TmpfsFiles files, TmpfsFiles::Open(root, chown));
    ESC_ASSIGN_OR_RETURN(std::vector<std::string> names, files.List());
    return Rotator(std::move(files), std::move(names));
  }

  // The number of the generation that ..data leads to.
  std::optional<std::uint64_t> Current() const { return current_; }
  std::uint64_t NextNumber() const {
    const auto now = system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    const std::uint64_t highest = generations_.empty() ? 0 : generations_.back();
    return std::max(static_cast<std::uint64_t>(seconds), highest + 1);
  }
  VolumeSize Size() const {
    return current_ ? files_.Measure(FolderOf(*current_)) : VolumeSize{.bytes = 0, .inodes = 1};
  }

  // Whether the current one's folder shows this.
  bool DataShows(const Generation& generation) const {
    return files_.Matches(FolderOf(*current_), generation);
  }
  // Whether the keys in the root are those of the generation.
  bool KeysLeadTo(const Generation& generation) const {
    const auto& keys = generation.Root().children;
    const auto names = Keys();
    return std::ranges::equal(names, keys, {}, {}, &GenerationNode::Child::name) &&
           std::ranges::all_of(names, [this](const std::string& key) { return HasLink(key); });
  }

  Status OpenToAll() const;
  // Of writers that did not come to their end.
  Status RemoveLeftovers();
  // Makes ..data lead to a new folder. On an error it leads where it did before.
  Status Swap(const Generation& generation);
  Status LinkKeys(const Generation& generation) const;
  // All but the current generation and the one before.
  Status RemoveOldGenerations() const;

 private:
  Rotator(TmpfsFiles files, std::vector<std::string> names)
      : files_(std::move(files)), names_(std::move(names)) {
    for (const std::string& name : names_) {
      if (const auto number = NumberOf(name)) generations_.push_back(*number);
    }
    std::ranges::sort(generations_);
    const std::optional<std::string> target = LinkAt(files_.Root(), kData);
    if (!target) return;
    const std::optional<std::uint64_t> number = NumberOf(*target);
    if (number && std::ranges::binary_search(generations_, *number)) current_ = number;
  }

  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    std::ranges::copy_if(names_, std::back_inserter(keys),
                         [](const std::string& name) { return !name.starts_with(".."); });
    return keys;
  }
  bool HasLink(const std::string& key) const {
    return LinkAt(files_.Root(), key) == std::string(kData) + "/" + key;
  }

  TmpfsFiles files_;
  std::vector<std::string> names_;          // in the root at the beginning, sorted
  std::vector<std::uint64_t> generations_;  // their numbers, without leftovers once removed
  std::optional<std::uint64_t> current_;
};

Status Rotator::OpenToAll() const {
  constexpr mode_t kForAll = 0555;
  struct stat found = {};
  if (fstat(files_.Root(), &found) != 0) return files_.Failed(errno, "look at the root folder");
  if ((found.st_mode & kForAll) == kForAll) return {};
  if (fchmod(files_.Root(), 0755) == 0) return {};
  return files_.Failed(errno, "open the root folder to the pod");
}

Status Rotator::RemoveLeftovers() {
  for (const std::string& name : names_) {
    if (!name.starts_with("..") || (name == kData && current_)) continue;
    const std::optional<std::uint64_t> number = NumberOf(name);
    // Numbers grow: what is above the current one was never shown.
    if (number && current_ && *number <= *current_) continue;
    ESC_RETURN_IF_ERROR(files_.Remove(name));
    if (number) std::erase(generations_, *number);
  }
  return current_ ? RemoveOldGenerations() : Status();
}

Status Rotator::Swap(const Generation& generation) {
  const std::string& name = generation.FolderName();
  Status done = files_.Write(generation);
  if (done && symlinkat(name.c_str(), files_.Root(), kNewData) != 0) {
    done = files_.Failed(errno, "make symlink ..data_tmp");
  }
  if (done && renameat(files_.Root(), kNewData, files_.Root(), kData) != 0) {
    done = files_.Failed(errno, "rename ..data_tmp to ..data");
  }
  if (done) {
    current_ = generation.Number();
    return {};
  }
  // So that memory is not held by it. What stays behind nevertheless, the next Publish removes.
  for (const std::string& left : {std::string(kNewData), name}) {
    if (const Status removed = files_.Remove(left); !removed) return done;
  }
  return done;
}

Status Rotator::LinkKeys(const Generation& generation) const {
  const auto& keys = generation.Root().children;
  for (const GenerationNode::Child& key : keys) {
    if (HasLink(key.name)) continue;
    ESC_RETURN_IF_ERROR(files_.Remove(key.name));
    const std::string target = std::string(kData) + "/" + key.name;
    if (symlinkat(target.c_str(), files_.Root(), key.name.c_str()) != 0) {
      return files_.Failed(errno, "make symlink \"" + PrintablePath(key.name) + "\"");
    }
  }
  for (const std::string& name : Keys()) {
    if (std::ranges::binary_search(keys, name, {}, &GenerationNode::Child::name)) continue;
    ESC_RETURN_IF_ERROR(files_.Remove(name));
  }
  return {};
}

Status Rotator::RemoveOldGenerations() const {
  std::vector<std::uint64_t> old;
  std::ranges::copy_if(generations_, std::back_inserter(old),
                       [this](std::uint64_t number) { return number < *current_; });
  if (!old.empty()) old.pop_back();
  for (const std::uint64_t number : old) ESC_RETURN_IF_ERROR(files_.Remove(FolderOf(number)));
  return {};
}

}  // namespace

AtomicWriter::AtomicWriter(UniqueFd root, ChownFunction chown)
    : root_(std::move(root)), chown_(std::move(chown)) {}

Status AtomicWriter::Publish(const VolumeSpec& spec) {
  ESC_ASSIGN_OR_RETURN(Rotator rotator, Rotator::Open(root_, chown_));
  ESC_ASSIGN_OR_RETURN(const std::shared_ptr<const Generation> next,
                       Plan(spec, rotator.NextNumber()));
  const bool is_shown =
      rotator.Current() && (shown_ != nullptr ? shown_->Shows(spec) : rotator.DataShows(*next));
  ESC_RETURN_IF_ERROR(rotator.OpenToAll());
  ESC_RETURN_IF_ERROR(rotator.RemoveLeftovers());
  if (!is_shown) {
    ESC_RETURN_IF_ERROR(rotator.Swap(*next));
    shown_.reset();  // until all of the new one is in place
  }
  ESC_RETURN_IF_ERROR(rotator.LinkKeys(*next));
  shown_ = next;
  return rotator.RemoveOldGenerations();
}

bool AtomicWriter::Shows(const VolumeSpec& spec) const {
  if (shown_ != nullptr) return shown_->Shows(spec);
  const Result<Rotator> rotator = Rotator::Open(root_, chown_);
  if (!rotator || !rotator->Current()) return false;
  const auto generation = Plan(spec, *rotator->Current());
  return generation && rotator->KeysLeadTo(**generation) && rotator->DataShows(**generation);
}

std::optional<VolumeSpec> AtomicWriter::Shown() const {
  if (shown_ == nullptr) return std::nullopt;
  return shown_->ToSpec();
}

VolumeSize AtomicWriter::Size() const {
  if (shown_ != nullptr) return {.bytes = shown_->TotalBytes(), .inodes = shown_->Nodes().size()};
  const Result<Rotator> rotator = Rotator::Open(root_, chown_);
  return rotator ? rotator->Size() : VolumeSize();
}

}  // namespace escagent::fuse
