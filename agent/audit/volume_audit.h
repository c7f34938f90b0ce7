#pragma once

#include <string>
#include <string_view>

#include "agent/audit/audit_log.h"
#include "agent/volume/volume_attributes.h"
#include "agent/volume/volume_status.h"
#include "fuse/file_open.h"

namespace escagent::audit {

// The listener for the files of a volume, made from the record in its mount's metadata
// (volume/volume_record.h). `log` must outlive it. What cannot be read of the record is missing in
// the lines.
fuse::OpenListener ListenToOpens(AuditLog& log, std::string_view metadata);

// Writes a line for a volume that was given to a pod, denied to it (the identity, the store's
// conditions), or unmounted. Other events and failures are none of the audit log's.
void WriteVolumeEvent(AuditLog& log, const volume::VolumeEvent& event);

// The ESC property path whose value a file of a volume with these attributes shows; in the formats
// with a single file, the path of the whole. As files do not say it: a name of digits counts as an
// index, and the one file that has the last name of the mounted path as that path's own value.
std::string KeyOf(const volume::VolumeAttributes& attributes, std::string_view file);

}  // namespace escagent::audit
