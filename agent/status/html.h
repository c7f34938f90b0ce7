#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace escagent::status {

// `text` as the content of an element or of a double-quoted attribute.
std::string EscapeHtml(std::string_view text);

// "<p>and 12 more ...</p>" when there are more than `shown`, or nothing.
std::string MoreRows(std::size_t all, std::size_t shown);

enum class Row { kGood, kBad };

// A table whose rows become cards on a narrow screen. Bad rows come first; else the order is kept.
class Table {
 public:
  // Titles are ours; cells are HTML.
  explicit Table(std::vector<std::string_view> titles) : titles_(std::move(titles)) {}

  // `cells` has one for each title.
  void Add(Row row, const std::vector<std::string>& cells);
  std::string ToHtml(std::size_t max_rows) const;

 private:
  const std::vector<std::string_view> titles_;
  std::vector<std::string> bad_;
  std::vector<std::string> good_;
};

}  // namespace escagent::status
