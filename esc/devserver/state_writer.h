#pragma once

#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "esc/eval/evaluator.h"
#include "esc/property_path.h"

namespace escagent::devserver {

// Whether the value at a path below `values` is made by fn::rotate.
bool IsRotated(std::string_view definition, const esc::PropertyPath& path);

// Writes the new state of a rotation (kSucceeded) into a definition and changes nothing else.
// Secrets become `fn::secret: TEXT`, to be taken literally. `evaluated` is the text that was
// rotated: FAILED_PRECONDITION when the call that it has is not in `definition` any more, or
// another one is.
Result<Secret> WriteState(std::string_view definition, const eval::Rotation& rotation,
                          std::string_view evaluated);

}  // namespace escagent::devserver
