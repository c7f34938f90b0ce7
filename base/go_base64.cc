#include "base/go_base64.h"

#include <cstddef>

namespace escagent {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool IsLineBreak(char c) { return c == '\r' || c == '\n'; }

// Where Go's decoder finds the first fault.
std::size_t FaultIn(std::string_view text) {
  std::size_t digits = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (IsLineBreak(text[at])) continue;
    if (kAlphabet.contains(text[at])) {
      ++digits;
      continue;
    }
    if (text[at] != '=' || digits % 4 < 2) return at;
    const auto next = [&text](std::size_t from) {
      while (from < text.size() && IsLineBreak(text[from])) ++from;
      return from;
    };
    std::size_t after = next(at + 1);
    if (digits % 4 == 2) {
      if (after == text.size()) return after;
      if (text[after] != '=') return after - 1;
      after = next(after + 1);
    }
    return after;
  }
  // A group of four that is not complete; line breaks within it do not count.
  return text.size() - digits % 4;
}

}  // namespace

std::string DescribeBase64Fault(std::string_view text) {
  return "illegal base64 data at input byte " + std::to_string(FaultIn(text));
}

}  // namespace escagent
