#pragma once

#include <cstddef>
#include <string_view>

namespace escagent::edit {

// Places in a text of YAML, in bytes. Line breaks are those of YAML 1.1, which ESC reads: \n, \r\n,
// \r, U+0085, U+2028 and U+2029.

// The offset of the next token from a position between tokens: what comes after white space, line
// breaks, comments, and byte order marks where lines begin.
std::size_t SkipTrivia(std::string_view text, std::size_t position);

// The begin of a position's line.
std::size_t LineBeginOf(std::string_view text, std::size_t position);

// The end of a position's line, before its line break.
std::size_t LineEndOf(std::string_view text, std::size_t position);

// The begin of the line after a position's; the end of the text when there is none.
std::size_t NextLineOf(std::string_view text, std::size_t position);

// The number of a position's line, from 1.
std::size_t LineNumberOf(std::string_view text, std::size_t position);

// How many code points stand before a position on its line. The byte order mark of the text, which
// is not part of it, does not count.
std::size_t ColumnOf(std::string_view text, std::size_t position);

}  // namespace escagent::edit
