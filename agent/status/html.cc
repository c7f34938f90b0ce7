#include "agent/status/html.h"

#include <algorithm>

namespace escagent::status {

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string MoreRows(std::size_t all, std::size_t shown) {
  if (all <= shown) return "";
  return "<p>and " + std::to_string(all - shown) + " more: <code>esc-agent status</code></p>\n";
}

void Table::Add(Row row, const std::vector<std::string>& cells) {
  std::string out = row == Row::kBad ? "<tr class=\"bad\">" : "<tr>";
  for (std::size_t i = 0; i < titles_.size(); ++i) {
    out += "<td data-title=\"" + std::string(titles_[i]) + "\">" + cells.at(i) + "</td>";
  }
  (row == Row::kBad ? bad_ : good_).push_back(out + "</tr>\n");
}

std::string Table::ToHtml(std::size_t max_rows) const {
  const std::size_t all = bad_.size() + good_.size();
  if (all == 0) return "<p>none</p>\n";
  std::string out = "<table>\n<thead><tr>";
  for (const std::string_view title : titles_) out += "<th>" + std::string(title) + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < std::min(all, max_rows); ++i) {
    out += i < bad_.size() ? bad_[i] : good_[i - bad_.size()];
  }
  return out + "</tbody></table>\n" + MoreRows(all, max_rows);
}

}  // namespace escagent::status
