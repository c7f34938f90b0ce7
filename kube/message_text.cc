#include "kube/message_text.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace escagent::kube {
namespace {

constexpr std::string_view kRemoved = "...";

// Where messages begin to show input: structured-merge-diff's values (server-side apply), the JSON
// decoders that API servers have used.
constexpr std::array<std::string_view, 3> kDumps = {"got &value", "valueUnstructured{",
                                                    "error found in #"};

// The text after a quoted one that begins at the front.
std::string_view AfterQuoted(std::string_view text) {
  const char quote = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      return text.substr(i + 1);
    }
  }
  return {};
}

}  // namespace

std::string PlainText(std::string_view text, std::size_t max_size) {
  if (!IsValidUtf8(text)) return "(a text that is not UTF-8)";
  std::string plain;
  for (const char c : text) {
    const bool space = static_cast<unsigned char>(c) <= 0x20 || c == 0x7F;
    if (!space) {
      plain += c;
    } else if (!plain.empty() && plain.back() != ' ') {
      plain += ' ';
    }
  }
  while (plain.ends_with(' ')) plain.pop_back();
  if (plain.size() <= max_size) return plain;
  std::size_t end = max_size;
  while (end > 0 && (static_cast<unsigned char>(plain[end]) & 0xC0U) == 0x80U) --end;
  return plain.substr(0, end) + std::string(kRemoved);
}

std::string WithoutQuotedValues(std::string_view message) {
  bool cut = false;
  for (const std::string_view dump : kDumps) {
    const std::size_t at = message.find(dump);
    if (at == std::string_view::npos) continue;
    message = message.substr(0, at);
    cut = true;
  }
  std::string out;
  while (!message.empty()) {
    if (message.front() == '"' || message.front() == '`') {
      out += '"' + std::string(kRemoved) + '"';
      message = AfterQuoted(message);
    } else if (out.ends_with("value: ")) {
      // Not quoted, so where it ends is unknown.
      return out + std::string(kRemoved);
    } else {
      out += message.front();
      message.remove_prefix(1);
    }
  }
  return cut ? out + std::string(kRemoved) : out;
}

}  // namespace escagent::kube
