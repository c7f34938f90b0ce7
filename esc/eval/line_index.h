#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "esc/eval/source.h"

namespace escagent::eval {

// Positions in a text as ESC's evaluator gives them, odd as they are: the column where a value
// begins counts code points; the column where it ends is that plus the bytes of its text; and a
// column becomes a byte by counting the columns that a terminal shows. On the last line, if no line
// break ends it, the byte is not known (0).
class LineIndex {
 public:
  // Borrows the text.
  explicit LineIndex(std::string_view text);

  // The place of a byte.
  Position At(std::size_t byte) const;
  // The place in a column (1-based) of a line (1-based).
  Position At(int line, int column) const;
  // The byte of a line and column that both count from 0, the column in bytes.
  std::size_t ByteOf(int line, int column) const;

 private:
  // A place in a line that is not ASCII, one every few hundred bytes: a line may be as long as the
  // text, and have as many values.
  struct Mark {
    std::size_t byte = 0;
    int code_points = 0;  // before it, in its line
    int columns = 0;
  };
  struct Line {
    std::size_t start = 0;
    std::size_t end = 0;  // of its characters
    bool ascii = true;
    std::vector<Mark> marks;  // the first one is the start
  };

  void AddMarks(Line& line) const;

  std::string_view text_;
  std::vector<Line> lines_;
};

}  // namespace escagent::eval
