#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

// Checks that several RPCs share. Errors are INVALID_ARGUMENT and begin with the field's name.
namespace escagent::csi {

Status CheckVolumeId(const std::string& volume_id);

// Absolute, no "..", no NUL, shorter than PATH_MAX.
Status CheckPath(const std::string& path, std::string_view field);

}  // namespace escagent::csi
