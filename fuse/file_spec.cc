#include "fuse/file_spec.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace escagent::fuse {

bool SameContent(const VolumeSpec& a, const VolumeSpec& b) {
  const auto same_file = [](const FileSpec& x, const FileSpec& y) {
    return x.path == y.path && x.mode == y.mode &&
           (x.content == y.content || x.content->Equals(*y.content));
  };
  const auto same_folder = [](const FolderSpec& x, const FolderSpec& y) {
    return x.path == y.path;
  };
  return a.uid == b.uid && a.gid == b.gid && a.folder_mode == b.folder_mode &&
         std::equal(a.files.begin(), a.files.end(), b.files.begin(), b.files.end(), same_file) &&
         std::equal(a.empty_folders.begin(), a.empty_folders.end(), b.empty_folders.begin(),
                    b.empty_folders.end(), same_folder);
}

VolumeSize Measure(const VolumeSpec& spec) {
  VolumeSize size;
  std::set<std::string_view> folders;
  const auto add_folders_above = [&folders](std::string_view path) {
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      folders.insert(path.substr(0, slash));
    }
  };
  for (const FileSpec& file : spec.files) {
    size.bytes += file.content->Size();
    add_folders_above(file.path);
  }
  for (const FolderSpec& folder : spec.empty_folders) {
    folders.insert(folder.path);
    add_folders_above(folder.path);
  }
  size.inodes = spec.files.size() + folders.size() + 1;
  return size;
}

}  // namespace escagent::fuse
