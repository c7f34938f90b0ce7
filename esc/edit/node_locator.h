#pragma once

#include <string_view>

#include "base/result.h"
#include "esc/edit/yaml_tree.h"

namespace escagent::edit {

// Completes a tree whose nodes know their kind, texts and begin (yaml-cpp tells no more): finds
// where each ends, by walking through the text along the tree. Every begin is compared with where
// the walk has come to, so that a text that is read in two ways is refused (FAILED_PRECONDITION)
// and never edited.
Status LocateNodes(std::string_view text, YamlNode& root);

// The offset of the next thing that is no white space, line break or comment.
std::size_t SkipTrivia(std::string_view text, std::size_t position);

// The bytes at the begin that mark UTF-8 and are no content.
std::size_t ByteOrderMarkSize(std::string_view text);

// How many bytes stand before a position on its line.
std::size_t ColumnOf(std::string_view text, std::size_t position);

// The end of a position's line, before its line break.
std::size_t LineEndOf(std::string_view text, std::size_t position);

}  // namespace escagent::edit
