#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/content_pool.h"
#include "fuse/secret_tree.h"
#include "fuse/session_init.h"
#include "fuse/volume.h"

namespace escagent::fuse {

// All that a successor needs to serve a connection (Session::Resume).
struct SavedVolume {
  TreeState tree;
  CacheProfile cache = CacheProfile::kPage;
  SessionInit init;
  // Whatever the mount's owner wants back. No secrets.
  std::string metadata = {};
};

// Writes `volume` into a new memfd, sealed against every change. The values are copied once, from
// their Secret into the memfd; contents that several files share are written once.
// RESOURCE_EXHAUSTED when there is no memory for it.
Result<UniqueFd> EncodeTree(const SavedVolume& volume);

// What EncodeTree of this or an earlier version wrote. The values are copied once, from the memfd
// into a Secret, unless `contents` has an equal one. FAILED_PRECONDITION when a newer version wrote
// it, INVALID_ARGUMENT when nobody did.
Result<SavedVolume> DecodeTree(const UniqueFd& memfd, ContentPool& contents);
// The same from memory.
Result<SavedVolume> DecodeTreeBytes(std::string_view bytes, ContentPool& contents);

// Both for one volume by itself.
inline Result<SavedVolume> DecodeTree(const UniqueFd& memfd) {
  ContentPool contents;
  return DecodeTree(memfd, contents);
}
inline Result<SavedVolume> DecodeTreeBytes(std::string_view bytes) {
  ContentPool contents;
  return DecodeTreeBytes(bytes, contents);
}

}  // namespace escagent::fuse
