#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace escagent::edit {

// How a text is laid out, so that what is added looks like the rest.
struct Layout {
  std::string_view line_break = "\n";
  std::size_t step = 2;  // columns from a map to the maps in it
};

// Appends a string as a double-quoted scalar of one line: whatever YAML could take for something
// else, for a line break or for not printable is escaped. `text` is UTF-8.
void AppendQuoted(std::string_view text, SecretBuilder& out);

// Whether every YAML version takes the text without quotes for just this string.
bool IsPlainSafe(std::string_view text);

// Appends a string without quotes where that is safe, else as AppendQuoted().
void AppendShortest(std::string_view text, SecretBuilder& out);

void AppendSpaces(std::size_t count, SecretBuilder& out);

// Appends "fn::secret: <value>" inside of maps with one key each, `keys`, in block style: the first
// line where `out` ends, the others indented, the outermost map at column `indent`.
void AppendBlockSecret(std::span<const std::string> keys, std::string_view value,
                       std::size_t indent, const Layout& layout, SecretBuilder& out);

// The same in flow style; the outermost map without its braces if `bare`.
void AppendFlowSecret(std::span<const std::string> keys, std::string_view value, bool bare,
                      SecretBuilder& out);

}  // namespace escagent::edit
