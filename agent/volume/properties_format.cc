#include "agent/volume/properties_format.h"

#include <map>
#include <string>

#include "agent/volume/file_name.h"
#include "agent/volume/utf8.h"

namespace escagent::volume {
namespace {

std::string KeyOf(const Leaf& leaf) {
  std::string key;
  for (const esc::PropertyPath::Accessor& accessor : leaf.path) {
    if (const auto* name = std::get_if<std::string>(&accessor)) {
      if (!key.empty()) key += '.';
      key += *name;
    } else {
      key += '[' + std::to_string(std::get<std::size_t>(accessor)) + ']';
    }
  }
  return key;
}

void AppendUnit(std::uint16_t unit, SecretBuilder& out) {
  out.Append("\\u");
  AppendHex4(unit, out);
}

void AppendCodePoint(char32_t c, SecretBuilder& out) {
  if (c > 0xffff) {
    // Java's chars are UTF-16.
    const char32_t offset = c - 0x10000;
    AppendUnit(static_cast<std::uint16_t>(0xd800 + (offset >> 10)), out);
    AppendUnit(static_cast<std::uint16_t>(0xdc00 + (offset & 0x3ff)), out);
  } else if (c < 0x20 || c > 0x7e) {
    AppendUnit(static_cast<std::uint16_t>(c), out);
  } else {
    out.Append(static_cast<char>(c));
  }
}

// `all_spaces`: in a key every space ends the key; in a value only leading ones get lost.
void AppendEscaped(std::string_view text, bool all_spaces, SecretBuilder& out) {
  bool first = true;
  while (!text.empty()) {
    const char32_t c = TakeCodePoint(text);
    if (c == '\n') {
      out.Append("\\n");
    } else if (c == '\r') {
      out.Append("\\r");
    } else if (c == '\t') {
      out.Append("\\t");
    } else if (c == '\f') {
      out.Append("\\f");
    } else {
      const bool special = c == '\\' || c == '=' || c == ':' || c == '#' || c == '!';
      if (special || (c == ' ' && (first || all_spaces))) out.Append('\\');
      AppendCodePoint(c, out);
    }
    first = false;
  }
}

}  // namespace

Result<Secret> RenderProperties(const std::vector<Leaf>& leaves) {
  SecretBuilder out;
  std::map<std::string, const Leaf*> keys;
  for (const Leaf& leaf : leaves) {
    const std::string key = KeyOf(leaf);
    if (const auto [other, added] = keys.emplace(key, &leaf); !added) {
      return InvalidArgument(
          "format properties: " + QuoteForMessage(PathBelow("", other->second->path)) + " and " +
          QuoteForMessage(PathBelow("", leaf.path)) + " both have the key " + QuoteForMessage(key));
    }
    AppendEscaped(key, /*all_spaces=*/true, out);
    out.Append('=');
    AppendEscaped(leaf.value->ScalarText(), /*all_spaces=*/false, out);
    out.Append('\n');
  }
  return out.Finish();
}

}  // namespace escagent::volume
