#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace escagent::devserver {

// Unpredictable bytes for a key.
Secret MakeKey();

// The key that a file holds. Made when there is none: readable for its owner only, there whole or
// not at all, and the same one for all processes that ask at once. The file's folder must exist.
// FAILED_PRECONDITION for a file that holds something else.
Result<Secret> ReadOrMakeKey(const std::string& file);

}  // namespace escagent::devserver
