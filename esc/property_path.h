#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "esc/value.h"

namespace escagent::esc {

// An ESC property path: `app.db["user.name"][0]`. Names are separated by dots; a name with dots,
// brackets, braces, quotes or white space is written ["quoted"] with \" and \\ escapes; [n] indexes
// an array (base 10); a dot before a bracket is allowed, as Pulumi's own parser does. Wildcards
// ([*]) are not supported. Empty text is the root. Thread-compatible value type.
class PropertyPath {
 public:
  // A key of an object or an index of an array.
  using Accessor = std::variant<std::string, std::size_t>;

  PropertyPath() = default;
  explicit PropertyPath(std::vector<Accessor> accessors) : accessors_(std::move(accessors)) {}

  // Errors are INVALID_ARGUMENT with the offset of the fault.
  static Result<PropertyPath> Parse(std::string_view text);

  const std::vector<Accessor>& accessors() const { return accessors_; }
  bool IsRoot() const { return accessors_.empty(); }
  // Parse() of this text gives an equal path. "" for the root.
  std::string ToString() const;

  void Append(Accessor accessor) { accessors_.push_back(std::move(accessor)); }
  void RemoveLast() { accessors_.pop_back(); }

  // The value at this path below `root`. NOT_FOUND says how far the path led and which keys are
  // there (names, never values; not even names when the object is secret), with the nearest one.
  // FAILED_PRECONDITION when the path leads into a value that is unknown.
  Result<const Value*> Lookup(const Value& root) const;

  bool operator==(const PropertyPath&) const = default;

 private:
  std::vector<Accessor> accessors_;
};

}  // namespace escagent::esc
