#pragma once

#include <memory>

#include "agent/cache/snapshot.h"
#include "agent/volume/volume_attributes.h"
#include "base/result.h"
#include "fuse/file_spec.h"

namespace escagent::volume {

// What a volume with these attributes shows of a snapshot.
//
// Format::kFiles: a key a file, objects and arrays are folders (an array's entries are named by
// their index). Strings are shown as they are, numbers with their exact text, booleans as
// true/false, null as an empty file, an empty object or array as an empty folder. A scalar at the
// mounted path itself is one file, named by the last name of the path. With items: their files
// only; an object or array becomes clean JSON.
// Other formats: one file with everything; see json/yaml_format.h, dotenv_format.h,
// properties_format.h.
//
// Texts of scalars are not copied: the files share the snapshot's bytes and keep it alive.
//
// Errors name paths, never values: NOT_FOUND when `path` or an item's path does not exist (with
// `optional`, what is missing is left out); INVALID_ARGUMENT for a key that cannot be a file name,
// for keys that collide, and for an item that is not base64; FAILED_PRECONDITION for a value that
// ESC marks as unknown, which must not be shown.
Result<fuse::VolumeSpec> Render(const std::shared_ptr<const cache::Snapshot>& snapshot,
                                const VolumeAttributes& attributes);

// What an optional volume shows as long as there are no values.
fuse::VolumeSpec EmptySpec(const VolumeAttributes& attributes);

}  // namespace escagent::volume
