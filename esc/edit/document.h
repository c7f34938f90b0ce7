#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "esc/edit/splice.h"
#include "esc/edit/yaml_tree.h"
#include "esc/property_path.h"

namespace escagent::edit {

// How far a path leads in a definition.
struct Walk {
  enum class End {
    kFound,    // `place` is the node
    kAbsent,   // `place` is the map that lacks the next key
    kNothing,  // `place` is a null, and there are more accessors
    kBlocked   // it goes no further; `why` says what is in the way
  };
  End end = End::kFound;
  Place place;
  Place parent;           // of `place`
  std::size_t depth = 0;  // accessors that led to `place`
  std::string why;
};

// A definition under edit: its text, its tree, and one as true as the other. Thread-compatible.
class Document {
 public:
  static Result<Document> Read(Secret text);

  // Follows `values` and the path below it. FAILED_PRECONDITION when a key on the way occurs twice.
  Result<Walk> Find(const esc::PropertyPath& path);

  // A secret instead of the node of a walk, inside of maps `keys` (empty for kFound).
  Status Replace(const Walk& walk, std::span<const std::string> keys, std::string_view value);
  // A secret, inside of maps `keys`, as a new entry of the map of a walk (kAbsent).
  Status Add(const Walk& walk, std::span<const std::string> keys, std::string_view value);
  // Removes the node of a walk (kFound) from the map it is in.
  Status Remove(const Walk& walk);

  Secret TakeText() && { return std::move(text_); }

 private:
  Document(Secret text, YamlNode root) : text_(std::move(text)), root_(std::move(root)) {}

  // Changes the text, after the tree was changed to what the text shall say then. Reads it again to
  // be sure that it does.
  Status Commit(const Splice& splice);

  Secret text_;
  YamlNode root_;
};

}  // namespace escagent::edit
