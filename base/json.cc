#include "base/json.h"

#include <array>
#include <cstdio>

#include "base/strings.h"

namespace escagent {
namespace {

using nlohmann::json;

std::unexpected<Error> BadJson(std::string_view what, const std::string& cause) {
  return InvalidArgument("read " + std::string(what) + ": " + cause);
}

// Counts the nesting without parsing, so that neither nlohmann's parser nor a recursive destructor
// ever sees a document that is too deep. Brackets in strings do not count.
bool IsTooDeep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

Status CheckText(std::string_view text, std::string_view what) {
  if (!IsValidUtf8(text)) return BadJson(what, "not valid UTF-8");
  if (IsTooDeep(text)) {
    return BadJson(what, "nested more than " + std::to_string(kMaxJsonDepth) + " deep");
  }
  return {};
}

}  // namespace

// The one function that meets nlohmann's parse errors.
Result<json> ParseJson(std::string_view text, std::string_view what) {
  ESC_RETURN_IF_ERROR(CheckText(text, what));
  try {
    return json::parse(text.begin(), text.end());
  } catch (const json::parse_error& e) {
    // e.what() quotes the text near the fault, which may be a value.
    return BadJson(what, "invalid JSON at byte " + std::to_string(e.byte));
  } catch (const json::out_of_range&) {
    return BadJson(what, "a number is out of range");
  }
}

Status ParseJsonSax(std::string_view text, std::string_view what,
                    nlohmann::json_sax<json>& handler) {
  ESC_RETURN_IF_ERROR(CheckText(text, what));
  // With a SAX handler nlohmann reports through handler.parse_error instead of throwing.
  if (!json::sax_parse(text.begin(), text.end(), &handler)) return BadJson(what, "invalid JSON");
  return {};
}

void Scrub(json& document) {
  if (auto* text = document.get_ptr<json::string_t*>(); text != nullptr) {
    WipeString(*text);
  } else if (document.is_structured()) {
    for (json& child : document) Scrub(child);
  }
}

std::string QuoteJson(std::string_view text, bool escape_html) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\b') {
      out += "\\b";
    } else if (c == '\f') {
      out += "\\f";
    } else if (byte < 0x20 || (escape_html && (c == '<' || c == '>' || c == '&'))) {
      std::array<char, 8> escaped;
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", byte);
      out += escaped.data();
    } else if (escape_html && (text.substr(i, 3) == "\u2028" || text.substr(i, 3) == "\u2029")) {
      out += text.substr(i, 3) == "\u2028" ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string DumpJson(const json& document, int indent) {
  // Text that is not UTF-8 (from an outside error message) is replaced rather than thrown at.
  return document.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace escagent
