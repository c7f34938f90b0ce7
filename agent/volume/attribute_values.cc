#include "agent/volume/attribute_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "agent/volume/file_name.h"

namespace escagent::volume {
namespace {

bool IsLowerAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// One part of a DNS name.
bool IsLabel(std::string_view text) {
  return !text.empty() && IsLowerAlphanumeric(text.front()) && IsLowerAlphanumeric(text.back()) &&
         std::ranges::all_of(text, [](char c) { return IsLowerAlphanumeric(c) || c == '-'; });
}

}  // namespace

std::string GotForMessage(std::string_view value) {
  // A Pulumi access token has 44 characters.
  constexpr std::size_t kLongest = 32;
  if (value.size() > kLongest) return "";
  return " (got " + QuoteForMessage(value) + ")";
}

Result<mode_t> ParseMode(std::string_view text, std::string_view what) {
  std::string_view digits = text;
  if (digits.starts_with("0o")) digits.remove_prefix(2);
  mode_t mode = 0;
  const char* const begin = digits.data();
  const char* const end = begin + digits.size();
  const auto [last, error] = std::from_chars(begin, end, mode, 8);
  if (error != std::errc() || last != end || mode > 0777) {
    return InvalidArgument(std::string(what) + ": must be octal permission bits from 0 to 0777" +
                           GotForMessage(text));
  }
  return mode;
}

Result<std::uint32_t> ParseId(std::string_view text, std::string_view what) {
  std::uint32_t id = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [last, error] = std::from_chars(begin, end, id);
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  if (error != std::errc() || last != end || id == kNone) {
    return InvalidArgument(std::string(what) + ": must be a number from 0 to 4294967294" +
                           GotForMessage(text));
  }
  return id;
}

Result<bool> ParseBool(std::string_view text, std::string_view what) {
  static constexpr std::array<std::pair<std::string_view, bool>, 2> kWords = {
      {{"true", true}, {"false", false}}};
  return ParseChoice<bool>(text, what, kWords);
}

Status ValidatePropertyPath(std::string_view text, std::string_view what) {
  const Result<esc::PropertyPath> path = esc::PropertyPath::Parse(text);
  if (path) return {};
  return InvalidArgument(std::string(what) + ": " + path.error().message +
                         "; a path looks like app.db[\"user.name\"][0]");
}

Status ValidateObjectName(std::string_view text, std::string_view what) {
  constexpr std::size_t kLongest = 253;
  if (text.size() <= kLongest && std::ranges::all_of(Split(text, '.'), IsLabel)) return {};
  return InvalidArgument(std::string(what) +
                         ": must be a name of Kubernetes: at most 253 lower-case letters, digits, "
                         "'-' and '.', with a letter or digit at the ends of each part" +
                         GotForMessage(text));
}

Result<Encoding> ParseEncoding(std::string_view text, std::string_view what) {
  static constexpr std::array<std::pair<std::string_view, Encoding>, 2> kWords = {
      {{"utf8", Encoding::kUtf8}, {"base64", Encoding::kBase64}}};
  return ParseChoice<Encoding>(text, what, kWords);
}

std::string DidYouMean(std::string_view name, std::span<const std::string_view> known) {
  const std::optional<std::string_view> nearest = Nearest(name, known);
  if (!nearest) return "";
  return "; did you mean \"" + std::string(*nearest) + "\"?";
}

}  // namespace escagent::volume
