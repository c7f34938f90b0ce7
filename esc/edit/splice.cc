#include "esc/edit/splice.h"

#include <algorithm>
#include <optional>

#include "base/yaml_events.h"
#include "esc/edit/yaml_text.h"

namespace escagent::edit {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kWhitespace = " \t\r\n";

std::unexpected<Error> NoRoom(std::string_view text, std::size_t at) {
  return FailedPrecondition("line " + std::to_string(LineNumberOf(text, at)) +
                            " has no room for it; write the map around it as {key: value}");
}

bool IsOnly(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

// How far the first map that is written below a key is indented.
std::optional<std::size_t> FindStep(std::string_view text, const YamlNode& node) {
  const bool block_map = node.kind == YamlNode::Kind::kMap && !node.flow;
  for (const YamlNode::Entry& entry : node.entries) {
    const YamlNode& value = entry.value;
    if (block_map && value.kind == YamlNode::Kind::kMap && !value.flow) {
      const std::size_t outer = ColumnOf(text, node.content);
      const std::size_t inner = ColumnOf(text, value.content);
      if (inner > outer) return inner - outer;
    }
    if (const auto step = FindStep(text, value)) return step;
  }
  for (const YamlNode& element : node.elements) {
    if (const auto step = FindStep(text, element)) return step;
  }
  return std::nullopt;
}

Splice ReplaceRoot(std::string_view text, const YamlNode& root, std::span<const std::string> keys,
                   std::string_view value, const Layout& layout) {
  SecretBuilder out;
  const std::size_t begin = root.begin;
  if (begin > ByteOrderMarkSize(text) && ColumnOf(text, begin) > 0) out.Append(layout.line_break);
  AppendBlockSecret(keys, value, 0, layout, out);
  const bool empty = root.kind == YamlNode::Kind::kEmpty;
  if (empty || root.end == text.size()) out.Append(layout.line_break);
  return {begin, root.end, out.Finish()};
}

Splice ReplaceElement(std::string_view text, const Place& place, std::span<const std::string> keys,
                      std::string_view value, const Layout& layout) {
  const YamlNode& node = *place.node;
  SecretBuilder out;
  std::size_t indent = ColumnOf(text, node.begin);
  if (node.kind == YamlNode::Kind::kEmpty) {
    out.Append(' ');
    ++indent;
  }
  AppendBlockSecret(keys, value, indent, layout, out);
  return {node.begin, node.end, out.Finish()};
}

Splice ReplaceBlockValue(std::string_view text, const Place& place,
                         std::span<const std::string> keys, std::string_view value,
                         const Layout& layout) {
  const YamlNode& node = *place.node;
  const std::size_t after_colon = *place.entry()->colon + 1;
  const std::size_t outer = ColumnOf(text, place.parent->content);
  const bool same_line = LineEndOf(text, after_colon) >= node.begin;
  SecretBuilder out;
  if (node.kind == YamlNode::Kind::kEmpty || same_line) {
    out.Append(layout.line_break);
    AppendSpaces(outer + layout.step, out);
    AppendBlockSecret(keys, value, outer + layout.step, layout, out);
    return {after_colon, std::max(node.end, after_colon), out.Finish()};
  }
  // Below its key, where a sequence may stand under the key's own column.
  const std::size_t column = ColumnOf(text, node.begin);
  const std::size_t indent = column > outer ? column : outer + layout.step;
  AppendSpaces(indent - column, out);
  AppendBlockSecret(keys, value, indent, layout, out);
  return {node.begin, node.end, out.Finish()};
}

Result<Splice> ReplaceInFlow(std::string_view text, const Place& place,
                             std::span<const std::string> keys, std::string_view value) {
  const YamlNode& node = *place.node;
  const YamlNode::Entry* entry = place.entry();
  const bool empty = node.kind == YamlNode::Kind::kEmpty;
  if (empty && (entry == nullptr || !entry->colon)) return NoRoom(text, node.begin);
  SecretBuilder out;
  if (empty) out.Append(' ');
  AppendFlowSecret(keys, value, /*bare=*/false, out);
  return Splice{node.begin, node.end, out.Finish()};
}

Result<Splice> AddInFlow(std::string_view text, const YamlNode& map,
                         std::span<const std::string> keys, std::string_view value) {
  if (map.content >= text.size() || text[map.content] != '{') return NoRoom(text, map.begin);
  SecretBuilder out;
  std::size_t at = map.content + 1;
  if (!map.entries.empty()) {
    at = map.entries.back().value.end;
    const std::size_t next = SkipTrivia(text, at);
    if (next < text.size() && text[next] == ',') {
      at = next + 1;
    } else {
      out.Append(',');
    }
    out.Append(' ');
  }
  AppendFlowSecret(keys, value, /*bare=*/true, out);
  return Splice{at, at, out.Finish()};
}

Splice RemoveFromFlow(std::string_view text, const YamlNode& map, std::size_t index) {
  const YamlNode::Entry& entry = map.entries[index];
  Splice splice{entry.begin, entry.value.end, Secret()};
  const std::size_t next = SkipTrivia(text, splice.end);
  if (text[next] == ',') {
    splice.end = next + 1;
    const std::size_t rest = std::min(text.find_first_not_of(kBlanks, splice.end), text.size());
    if (rest < text.size() && !std::string_view("#\r\n").contains(text[rest])) splice.end = rest;
    return splice;
  }
  // The last one: the comma before it goes too, unless a comment or a line break is in between.
  const std::size_t before = text.find_last_not_of(kBlanks, splice.begin - 1);
  if (text[before] == ',') splice.begin = before;
  return splice;
}

Splice RemoveFromBlock(std::string_view text, const YamlNode& map, std::size_t index) {
  const YamlNode::Entry& entry = map.entries[index];
  const std::size_t next_line = NextLineOf(text, entry.value.end);
  std::size_t line = LineBeginOf(text, entry.begin);
  if (line == 0) line = ByteOrderMarkSize(text);
  if (IsOnly(text.substr(line, entry.begin - line), kBlanks)) return {line, next_line, Secret()};
  // The first of a map behind a "-": the next entry, or a comment, moves up to its place.
  const std::size_t indented = std::min(text.find_first_not_of(kBlanks, next_line), text.size());
  return {entry.begin, indented, Secret()};
}

}  // namespace

Layout LayoutOf(std::string_view text, const YamlNode& root) {
  Layout layout;
  const std::size_t newline = text.find('\n');
  if (newline != std::string_view::npos && newline > 0 && text[newline - 1] == '\r') {
    layout.line_break = "\r\n";
  }
  layout.step = FindStep(text, root).value_or(layout.step);
  return layout;
}

Result<Splice> ReplaceBySecret(std::string_view text, const Place& place,
                               std::span<const std::string> keys, std::string_view value,
                               const Layout& layout) {
  const YamlNode& node = *place.node;
  if (place.parent == nullptr) return ReplaceRoot(text, node, keys, value, layout);
  // A map in braces stays one.
  if (place.parent->flow || node.flow) return ReplaceInFlow(text, place, keys, value);
  if (place.entry() == nullptr) return ReplaceElement(text, place, keys, value, layout);
  if (!place.entry()->colon) return NoRoom(text, node.begin);
  return ReplaceBlockValue(text, place, keys, value, layout);
}

Result<Splice> AddSecret(std::string_view text, const YamlNode& map,
                         std::span<const std::string> keys, std::string_view value,
                         const Layout& layout) {
  if (map.flow) return AddInFlow(text, map, keys, value);
  const std::size_t indent = ColumnOf(text, map.content);
  const std::size_t at = LineEndOf(text, map.end);
  SecretBuilder out;
  out.Append(layout.line_break);
  AppendSpaces(indent, out);
  AppendBlockSecret(keys, value, indent, layout, out);
  return Splice{at, at, out.Finish()};
}

Result<Splice> RemoveEntry(std::string_view text, const Place& place, std::size_t index) {
  const YamlNode& map = *place.node;
  if (map.entries.size() > 1) {
    return map.flow ? RemoveFromFlow(text, map, index) : RemoveFromBlock(text, map, index);
  }
  if (map.flow && text[map.content] != '{') return NoRoom(text, map.begin);
  const YamlNode::Entry* entry = place.entry();
  if (!map.flow && entry != nullptr && entry->colon) {
    const std::size_t after_colon = *entry->colon + 1;
    if (IsOnly(text.substr(after_colon, map.begin - after_colon), kWhitespace)) {
      return Splice{after_colon, map.end, Secret(std::string_view(" {}"))};
    }
  }
  return Splice{map.begin, map.end, Secret(std::string_view("{}"))};
}

Secret Apply(std::string_view text, const Splice& splice) {
  SecretBuilder out;
  out.Append(text.substr(0, splice.begin));
  out.Append(splice.text);
  out.Append(text.substr(splice.end));
  return out.Finish();
}

}  // namespace escagent::edit
