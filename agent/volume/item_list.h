#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/volume/volume_attributes.h"

namespace escagent::volume {

// Reads the attribute `items`: a YAML list of {path, file, mode, encoding}, of which only `path` is
// required. `file` is by default the last name of the path. What is wrong is added to `errors`, a
// line for each finding, named "items[2].mode"; the list is of use only when nothing was added.
std::vector<Item> ParseItemList(std::string_view yaml, std::vector<std::string>& errors);

// The last name or index of an ESC property path: "password" for `app.db.password`, "0" for
// `list[0]`, "" for the root. The path must be valid.
std::string LastName(std::string_view property_path);

}  // namespace escagent::volume
