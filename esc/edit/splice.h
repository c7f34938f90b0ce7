#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "esc/edit/yaml_tree.h"
#include "esc/edit/yaml_writer.h"

// Which bytes of a text to replace by which for one change of its tree. Everything else stays as it
// is: comments, styles, the order, line ends.
namespace escagent::edit {

// The bytes [begin, end) are replaced by `text`.
struct Splice {
  std::size_t begin = 0;
  std::size_t end = 0;
  Secret text;
};

// Where a node hangs in its tree. Borrows the tree.
struct Place {
  YamlNode* parent = nullptr;  // null: the node is the root
  std::size_t index = 0;       // of the entry or element of the parent
  YamlNode* node = nullptr;

  const YamlNode::Entry* entry() const {
    return parent != nullptr && parent->kind == YamlNode::Kind::kMap ? &parent->entries[index]
                                                                     : nullptr;
  }
};

// The line breaks and the indentation that a text uses.
Layout LayoutOf(std::string_view text, const YamlNode& root);

// Writes `fn::secret: value`, inside of new maps `keys`, in the place of a node.
// FAILED_PRECONDITION where the text has no room for a value.
Result<Splice> ReplaceBySecret(std::string_view text, const Place& place,
                               std::span<const std::string> keys, std::string_view value,
                               const Layout& layout);

// Writes the same behind the last entry of a map. There is at least one key.
Result<Splice> AddSecret(std::string_view text, const YamlNode& map,
                         std::span<const std::string> keys, std::string_view value,
                         const Layout& layout);

// Takes an entry out of the map at `place`, with the comment behind it on its last line. A map
// whose only entry goes becomes {}: without a value its key would be null, and override imports.
Result<Splice> RemoveEntry(std::string_view text, const Place& place, std::size_t index);

// The text after the change.
Secret Apply(std::string_view text, const Splice& splice);

}  // namespace escagent::edit
