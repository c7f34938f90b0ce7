// Any text as a property path: refused, or its printed form reads back as the same path.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/result.h"
#include "esc/property_path.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using escagent::Result;
  using escagent::esc::PropertyPath;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<PropertyPath> path = PropertyPath::Parse(text);
  if (!path) return 0;
  const Result<PropertyPath> again = PropertyPath::Parse(path->ToString());
  if (!again || *again != *path) std::abort();
  const escagent::esc::Value nothing;
  if (path->Lookup(nothing).has_value() != path->IsRoot()) std::abort();
  return 0;
}
