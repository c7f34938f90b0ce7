#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace escagent::edit {

// Texts nested deeper are refused, so that everything after the reader may recurse.
inline constexpr std::size_t kMaxNesting = 200;
// A longer text is refused.
inline constexpr std::size_t kMaxTextSize = std::size_t{4} << 20;

// A node of a YAML text that knows from which byte to which it is written, so that exactly this can
// be replaced. Move-only, as the texts of scalars may be secret.
struct YamlNode {
  enum class Kind {
    kEmpty,  // a value that is not there: "key:"
    kNull,   // a null that is: "~", "null"
    kScalar,
    kSequence,
    kMap
  };
  struct Entry;

  Kind kind = Kind::kEmpty;
  bool flow = false;   // a sequence or map: [...] and {...} (or the one entry of [a: b])
  bool plain = false;  // a scalar: without quotes, so that its text decides about the type
  std::string tag;     // "" when none is written
  Secret text;         // of a scalar, decoded
  // [begin, end): with a tag and an anchor before it, without comments and line breaks around it.
  // Of a kEmpty node the place where it would stand.
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t content = 0;  // begin, after tag and anchor
  std::vector<YamlNode> elements;
  std::vector<Entry> entries;  // in the order of the text; keys may repeat

  bool IsScalar(std::string_view expected) const;
};

struct YamlNode::Entry {
  YamlNode key;
  YamlNode value;
  std::size_t begin = 0;             // of the key, or the "?" before it
  std::optional<std::size_t> colon;  // "{a, b}" has none
};

// Reads the first document of a text, as ESC does; offsets are into `text`. A text without any node
// gives a kEmpty one. INVALID_ARGUMENT for what is not YAML, FAILED_PRECONDITION for what ESC does
// not take: aliases, too deep or too long. Messages have line and column but nothing of the text.
//
// libyaml, which does the reading, does not wipe the buffers it uses.
Result<YamlNode> ReadYamlTree(std::string_view text);

// Whether both say the same: kinds, texts, tags, and members in the same order. Where and in which
// style they are written does not matter, nor whether a null is written.
bool SayTheSame(const YamlNode& a, const YamlNode& b);

}  // namespace escagent::edit
