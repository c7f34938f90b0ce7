#pragma once

#include <cstddef>
#include <string_view>

namespace escagent::eval {

// A character as a reader sees it: a letter with its marks, an emoji with its modifiers.
struct GraphemeCluster {
  std::size_t bytes = 0;
  int width = 0;  // columns of a terminal: 0, 1 or 2
};

// The first one of a text in UTF-8 that is not empty. Follows UAX #29 and #11 for what people
// write: marks, joiners, variation selectors, emoji sequences, flags, Hangul and East Asian width.
GraphemeCluster FirstCluster(std::string_view text);

// The columns of a text.
int TextWidth(std::string_view text);

}  // namespace escagent::eval
