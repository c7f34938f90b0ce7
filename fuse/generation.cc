#include "fuse/generation.h"

#include <algorithm>
#include <map>
#include <utility>

#include "fuse/inode_number.h"
#include "fuse/path_rules.h"

namespace escagent::fuse {
namespace {

constexpr mode_t kPermissionBits = 0777;

// Every path with its file; nullptr is a folder. Parents sort before their children.
using Entries = std::map<std::string, const FileSpec*, std::less<>>;

std::unexpected<Error> RefuseFile(std::string_view path, std::string_view why) {
  return InvalidArgument("show file \"" + PrintablePath(path) + "\": " + std::string(why));
}

// Enters `path` as a folder, and the folders above it.
Status AddFolder(std::string_view path, Entries& entries) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string_view folder = path.substr(0, end);
    const auto [it, inserted] = entries.try_emplace(std::string(folder), nullptr);
    if (!inserted && it->second != nullptr) {
      return RefuseFile(folder, "it is a file and also a folder; rename one of the two");
    }
    if (end == std::string_view::npos) return {};
  }
}

Status AddFile(const FileSpec& file, Entries& entries) {
  if (file.content == nullptr) return RefuseFile(file.path, "it has no content");
  if ((file.mode & ~kPermissionBits) != 0) {
    return RefuseFile(file.path, "its mode has more than permission bits (at most 0777)");
  }
  if (const std::size_t slash = file.path.rfind('/'); slash != std::string::npos) {
    ESC_RETURN_IF_ERROR(AddFolder(std::string_view(file.path).substr(0, slash), entries));
  }
  const auto [it, inserted] = entries.try_emplace(file.path, &file);
  if (inserted) return {};
  return RefuseFile(file.path, it->second == nullptr
                                   ? "it is a file and also a folder; rename one of the two"
                                   : "the path is used twice; rename one of the two");
}

Result<Entries> CollectEntries(const VolumeSpec& spec) {
  if ((spec.folder_mode & ~kPermissionBits) != 0) {
    return InvalidArgument("show volume: the folder mode has more than permission bits");
  }
  Entries entries;
  for (const FolderSpec& folder : spec.empty_folders) {
    ESC_RETURN_IF_ERROR(CheckVolumePath(folder.path));
    ESC_RETURN_IF_ERROR(AddFolder(folder.path, entries));
  }
  for (const FileSpec& file : spec.files) {
    ESC_RETURN_IF_ERROR(CheckVolumePath(file.path));
    ESC_RETURN_IF_ERROR(AddFile(file, entries));
  }
  return entries;
}

bool SameContent(const GenerationNode& a, const GenerationNode& b) {
  return a.content == b.content ||
         (a.content != nullptr && b.content != nullptr && a.content->Equals(*b.content));
}

}  // namespace

Result<std::shared_ptr<const Generation>> Generation::Create(const VolumeSpec& spec,
                                                             std::uint64_t number, Time time,
                                                             NameTable& names) {
  ESC_ASSIGN_OR_RETURN(const Entries entries, CollectEntries(spec));

  std::shared_ptr<Generation> made(new Generation);
  made->number_ = number;
  made->time_ = time;
  made->folder_name_ = ".." + std::to_string(number);
  made->uid_ = spec.uid;
  made->gid_ = spec.gid;
  made->folder_mode_ = spec.folder_mode;
  made->revision_ = spec.revision;
  made->withheld_ = spec.withheld;
  made->nodes_.reserve(entries.size() + 1);
  made->nodes_.push_back({.index = kFolderIndex,
                          .is_folder = true,
                          .mode = spec.folder_mode,
                          .content = nullptr,
                          .children = {}});
  made->paths_.emplace_back();

  std::map<std::string_view, std::uint32_t> slot_by_folder;
  slot_by_folder.emplace("", 0);
  for (const auto& [path, file] : entries) {
    ESC_ASSIGN_OR_RETURN(const std::uint32_t index, names.IndexOf(path));
    const auto slot = static_cast<std::uint32_t>(made->nodes_.size());
    made->nodes_.push_back({.index = index,
                            .is_folder = file == nullptr,
                            .mode = file == nullptr ? spec.folder_mode : file->mode,
                            .content = file == nullptr ? nullptr : file->content,
                            .children = {}});
    made->paths_.push_back(path);
    if (file != nullptr) made->total_bytes_ += file->content->Size();

    const std::string_view view = path;
    const std::size_t slash = view.rfind('/');
    const bool top_level = slash == std::string_view::npos;
    GenerationNode& parent =
        made->nodes_[slot_by_folder.at(top_level ? std::string_view() : view.substr(0, slash))];
    parent.children.push_back(
        {.name = std::string(top_level ? view : view.substr(slash + 1)), .slot = slot});
    if (file == nullptr) {
      ++parent.folder_count;
      slot_by_folder.emplace(view, slot);
    }

    const std::size_t position = index - kFirstNameIndex;
    if (made->slot_by_name_.size() <= position) made->slot_by_name_.resize(position + 1);
    made->slot_by_name_[position] = slot;
  }
  for (GenerationNode& node : made->nodes_) {
    std::ranges::sort(node.children, {}, &GenerationNode::Child::name);
  }
  made->own_open_files_ = std::vector<std::atomic<std::uint32_t>>(made->nodes_.size());
  return made;
}

std::size_t Generation::SlotOf(std::uint32_t index) const {
  const std::size_t position = std::size_t{index} - kFirstNameIndex;
  return index < kFirstNameIndex || position >= slot_by_name_.size() ? 0 : slot_by_name_[position];
}

const GenerationNode* Generation::Find(std::uint32_t index) const {
  if (index == kFolderIndex) return &nodes_.front();
  const std::size_t slot = SlotOf(index);
  return slot == 0 ? nullptr : &nodes_[slot];
}

const std::string* Generation::FindKey(std::uint32_t index) const {
  const std::size_t slot = SlotOf(index);
  return slot == 0 || paths_[slot].find('/') != std::string::npos ? nullptr : &paths_[slot];
}

const GenerationNode* Generation::FindChild(const GenerationNode& folder,
                                            std::string_view name) const {
  const auto it = std::ranges::lower_bound(
      folder.children, name, {},
      [](const GenerationNode::Child& child) { return std::string_view(child.name); });
  return it == folder.children.end() || it->name != name ? nullptr : &nodes_[it->slot];
}

bool Generation::ShowsSameAs(const Generation& other) const {
  return uid_ == other.uid_ && gid_ == other.gid_ && folder_mode_ == other.folder_mode_ &&
         std::ranges::equal(nodes_, other.nodes_,
                            [](const GenerationNode& a, const GenerationNode& b) {
                              return a.index == b.index && a.is_folder == b.is_folder &&
                                     a.mode == b.mode && SameContent(a, b);
                            });
}

bool Generation::Shows(const VolumeSpec& spec) const {
  const Result<Entries> entries = CollectEntries(spec);
  if (!entries || uid_ != spec.uid || gid_ != spec.gid || folder_mode_ != spec.folder_mode ||
      entries->size() + 1 != nodes_.size()) {
    return false;
  }
  std::size_t slot = 0;
  return std::ranges::all_of(*entries, [this, &slot](const auto& entry) {
    const GenerationNode& node = nodes_[++slot];
    const auto& [path, file] = entry;
    if (path != paths_[slot] || node.is_folder != (file == nullptr)) return false;
    return file == nullptr || (file->mode == node.mode && node.content->Equals(*file->content));
  });
}

VolumeSpec Generation::ToSpec() const {
  VolumeSpec spec;
  spec.uid = uid_;
  spec.gid = gid_;
  spec.folder_mode = folder_mode_;
  spec.revision = revision_;
  spec.withheld = withheld_;
  for (std::size_t slot = 1; slot < nodes_.size(); ++slot) {
    const GenerationNode& node = nodes_[slot];
    if (!node.is_folder) {
      spec.files.push_back({.path = paths_[slot], .mode = node.mode, .content = node.content});
    } else if (node.children.empty()) {
      spec.empty_folders.push_back({.path = paths_[slot]});
    }
  }
  return spec;
}

void Generation::AddOpenFile(std::uint32_t index, bool own) const {
  ++open_files_;
  if (own) ++own_open_files_[SlotOf(index)];
}

void Generation::RemoveOpenFile(std::uint32_t index, bool own) const {
  if (own) --own_open_files_[SlotOf(index)];
  --open_files_;
}

}  // namespace escagent::fuse
