#pragma once

#include <string>
#include <string_view>

// Words inside identifiers ("HTTPServer", "http_server", "v2Beta"), as sprig finds them.
namespace escagent::gotemplate {

// Lower case with `separator` between words: "HTTPServer" is "http_server". Digits stay with the
// letters behind them.
std::string SeparateWords(std::string_view text, char separator);

// Each word with a capital, without separators: "http_server" is "HttpServer".
std::string JoinWords(std::string_view text);

}  // namespace escagent::gotemplate
