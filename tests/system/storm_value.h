#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace escagent::testing {

// The contents of a volume of which every byte tells what it should be: each file holds its name
// and a counter, as many times over as the counter says, so that bytes of two of them never pass
// for one.
//
// The files are "alpha", "beta" and "nested/deep"; "even" is there when the counter is even.
std::string StormValue(std::string_view file, int count);

// The counter; nothing when this is not exactly the StormValue of `file` and some counter.
std::optional<int> StormCount(std::string_view file, std::string_view bytes);

// An environment's definition with these values under `storm`.
std::string StormDefinition(int count);

}  // namespace escagent::testing
