#include "esc/eval/line_index.h"

#include <algorithm>

#include "esc/eval/text_width.h"

namespace escagent::eval {
namespace {

constexpr std::size_t kMarkDistance = 256;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }
bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

int CountCodePoints(std::string_view text) {
  return static_cast<int>(text.size()) -
         static_cast<int>(std::count_if(text.begin(), text.end(), IsContinuation));
}

}  // namespace

LineIndex::LineIndex(std::string_view text) : text_(text) {
  for (std::size_t start = 0; start <= text.size();) {
    Line line;
    line.start = start;
    line.end = std::min(text.find('\n', start), text.size());
    const std::string_view characters = text.substr(start, line.end - start);
    line.ascii = std::ranges::all_of(characters, IsAscii);
    if (!line.ascii) AddMarks(line);
    start = line.end + 1;
    lines_.push_back(std::move(line));
  }
}

void LineIndex::AddMarks(Line& line) const {
  Mark mark{.byte = line.start};
  line.marks.push_back(mark);
  while (mark.byte < line.end) {
    const GraphemeCluster cluster = FirstCluster(text_.substr(mark.byte, line.end - mark.byte));
    mark.code_points += CountCodePoints(text_.substr(mark.byte, cluster.bytes));
    mark.columns += cluster.width;
    mark.byte += cluster.bytes;
    if (mark.byte - line.marks.back().byte >= kMarkDistance) line.marks.push_back(mark);
  }
}

std::size_t LineIndex::ByteOf(int line, int column) const {
  if (line < 0 || static_cast<std::size_t>(line) >= lines_.size()) return text_.size();
  return std::min(lines_[static_cast<std::size_t>(line)].start + static_cast<std::size_t>(column),
                  text_.size());
}

Position LineIndex::At(std::size_t byte) const {
  const auto next = std::ranges::upper_bound(lines_, byte, {}, &Line::start);
  const Line& line = *(next - 1);
  int column = static_cast<int>(byte - line.start) + 1;
  if (!line.ascii) {
    const Mark& mark = *(std::ranges::upper_bound(line.marks, byte, {}, &Mark::byte) - 1);
    column = mark.code_points + CountCodePoints(text_.substr(mark.byte, byte - mark.byte)) + 1;
  }
  return At(static_cast<int>(next - lines_.begin()), column);
}

Position LineIndex::At(int line, int column) const {
  Position position{.line = line, .column = column};
  if (line < 1 || static_cast<std::size_t>(line) >= lines_.size()) return position;
  const Line& at = lines_[static_cast<std::size_t>(line) - 1];
  if (at.ascii) {
    position.byte = at.start + static_cast<std::size_t>(column - 1);
    return position;
  }
  const Mark& mark = *(std::ranges::upper_bound(at.marks, column - 1, {}, &Mark::columns) - 1);
  position.byte = mark.byte;
  for (int reached = mark.columns; position.byte < at.end && reached < column - 1;) {
    const GraphemeCluster cluster =
        FirstCluster(text_.substr(position.byte, at.end - position.byte));
    position.byte += cluster.bytes;
    reached += cluster.width;
  }
  return position;
}

}  // namespace escagent::eval
