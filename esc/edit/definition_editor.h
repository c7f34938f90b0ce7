#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "esc/property_path.h"

// Edits the text of an environment definition (reference/esc-api.md (c)) and nothing but what is
// addressed: comments, imports, function calls, the order, quotes, block and flow style and line
// ends stay byte for byte.
//
//   yaml_tree     the YAML with the place of each node      yaml_writer   how new text is written
//   yaml_text     lines, columns and what is between nodes  splice        which bytes to replace
namespace escagent::edit {

// One change at a path below `values` (app.db["user.name"], list[0]). Move-only.
struct Edit {
  enum class Kind { kSet, kRemove, kRemoveSecret };

  // The value becomes the static secret `fn::secret: "<value>"`, UTF-8 and taken literally: ESC
  // encrypts it when the definition is saved, and looks for no ${references} in it. Maps that are
  // missing on the way are made; what stands at the path is replaced, whatever it is.
  static Edit Set(esc::PropertyPath path, Secret value) {
    return {Kind::kSet, std::move(path), std::move(value)};
  }
  // The entry goes; nothing happens when there is none. The map around it stays, as {} if need be.
  static Edit Remove(esc::PropertyPath path) { return {Kind::kRemove, std::move(path), Secret()}; }
  // The same for a static secret only: what else stands there now is somebody else's, and stays.
  static Edit RemoveSecret(esc::PropertyPath path) {
    return {Kind::kRemoveSecret, std::move(path), Secret()};
  }

  Kind kind = Kind::kSet;
  esc::PropertyPath path;
  Secret value;
};

struct Edited {
  Secret yaml;
  std::size_t changes = 0;  // edits that were not fulfilled already

  bool changed() const { return changes > 0; }
};

// Applies the edits in their order to a definition as ESC serves it.
//
// A Set is fulfilled already, and changes nothing, when the definition itself has a static secret
// with an equal plaintext at the path: never because a value that is imported or computed there
// happens to be equal, and not for a plain value, which would stay readable. ESC keeps static
// secrets encrypted, so `decrypted` tells the plaintexts: the same revision as GET .../decrypt
// serves it (same ETag; the caller checks). Without it a secret that is encrypted counts as
// different. NeedsDecrypted() says whether it is worth asking for.
//
// Errors: INVALID_ARGUMENT for a definition that is no YAML, a path or a key that ESC does not
// allow and a value that is not UTF-8; FAILED_PRECONDITION for a definition in which the path
// cannot be edited (it leads through a scalar, a list without this element or the result of a
// function; keys that occur twice; aliases and anchors; several documents). They name the path and
// hold no value. The result was read again and says what was intended, or it is an error.
Result<Edited> ApplyEdits(const Secret& yaml, std::span<const Edit> edits,
                          const Secret* decrypted = nullptr);

// Whether a Set addresses a secret that is encrypted.
Result<bool> NeedsDecrypted(const Secret& yaml, std::span<const Edit> edits);

// Whether the definition itself has something at the path (a null counts, an import does not).
Result<bool> Defines(const Secret& yaml, const esc::PropertyPath& path);
// The same for many paths.
Result<std::vector<bool>> Defines(const Secret& yaml, std::span<const esc::PropertyPath> paths);

}  // namespace escagent::edit
