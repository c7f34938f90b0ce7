#pragma once

#include <vector>

#include "agent/volume/value_walk.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::volume {

// Lines KEY=value, to be sourced by a POSIX shell (`. ./.env`) and read by dotenv libraries.
//
// The names along the path are joined with "_"; a character that a shell does not allow in a name
// becomes "_", and a name that would begin with a digit gets a "_" in front. Two values with one
// name are INVALID_ARGUMENT with both paths.
//
// A value is bare when it is only letters, digits and _ . / : @ % + , = -, which readers that take
// the rest of the line as it is (`docker --env-file`) read right too. Any other value is in single
// quotes, and one with a single quote inside in double quotes with \ before \ " $ and `. Line
// breaks stay as they are within the quotes. A value with a NUL character is INVALID_ARGUMENT: no
// shell can hold it.
Result<Secret> RenderDotenv(const std::vector<Leaf>& leaves);

}  // namespace escagent::volume
