#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esc/eval/source.h"

namespace escagent::eval {

// Definitions nested deeper are refused, so that everything after the reader may recurse.
inline constexpr std::size_t kMaxNesting = 200;
// A longer definition is refused.
inline constexpr std::size_t kMaxDefinitionSize = std::size_t{4} << 20;

// A node of a definition's YAML with its place in the text. Scalars are resolved (scalar.h).
struct SyntaxNode {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  struct Entry;

  Kind kind = Kind::kNull;
  SourceRange range;
  std::string path;  // in the document: "values.app[0]"
  bool boolean = false;
  std::string text;
  // A plain scalar: an offset into `text` is the same offset in the source.
  bool verbatim = false;
  std::vector<SyntaxNode> elements;
  std::vector<Entry> entries;  // in the order of the text; keys may repeat
};

struct SyntaxNode::Entry {
  SyntaxNode key;  // always a string
  SyntaxNode value;
};

// Reads the first document of a text. Findings (not YAML, aliases, keys that are no strings, too
// deep, control characters) are appended to `diagnostics` with their place; what they touch is
// left out. Nothing for a text without a document, or one that is not YAML at all or too deep.
std::optional<SyntaxNode> ReadYaml(std::string_view text,
                                   const std::shared_ptr<const std::string>& environment,
                                   Diagnostics& diagnostics);

}  // namespace escagent::eval
