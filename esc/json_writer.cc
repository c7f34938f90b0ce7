#include "esc/json_writer.h"

#include <cstddef>
#include <string>

#include "base/strings.h"

namespace escagent::esc {
namespace {

// The escape of an ASCII character; empty when it stands for itself.
std::string Escape(char c, bool escape_html) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  const bool is_html = c == '<' || c == '>' || c == '&';
  if (byte >= 0x20 && (!escape_html || !is_html)) return "";
  constexpr std::string_view kHex = "0123456789abcdef";
  return std::string("\\u00") + kHex[byte >> 4U] + kHex[byte & 0xFU];
}

// Whether it stands for itself whatever the options: nearly every character does.
bool IsPlain(char c) {
  return c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

// The number of bytes of the UTF-8 character at the start of `text`; 0 when there is none.
std::size_t CharacterSize(std::string_view text) {
  for (std::size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    if (IsValidUtf8(text.substr(0, size))) return size;
  }
  return 0;
}

class Writer {
 public:
  Writer(const JsonOptions& options, SecretBuilder& out) : options_(options), out_(out) {}

  void Write(const Value& value, int level) {
    if (value.secret() && options_.redact_secrets) {
      out_.Append("\"[secret]\"");
      return;
    }
    if (value.unknown()) {
      out_.Append("\"[unknown]\"");
      return;
    }
    switch (value.kind()) {
      case Value::Kind::kNull:
        out_.Append("null");
        return;
      case Value::Kind::kBool:
      case Value::Kind::kNumber:
        out_.Append(value.ScalarText());
        return;
      case Value::Kind::kString:
        WriteJsonString(value.ScalarText(), options_.escape_html, out_);
        return;
      case Value::Kind::kArray:
        WriteArray(value, level);
        return;
      case Value::Kind::kObject:
        WriteObject(value, level);
        return;
    }
  }

 private:
  void WriteArray(const Value& array, int level) {
    out_.Append('[');
    bool first = true;
    for (const Value& element : array.elements()) {
      if (!first) out_.Append(',');
      first = false;
      NewLine(level + 1);
      Write(element, level + 1);
    }
    if (!first) NewLine(level);
    out_.Append(']');
  }

  void WriteObject(const Value& object, int level) {
    out_.Append('{');
    bool first = true;
    for (const auto& [key, member] : object.members()) {
      if (!first) out_.Append(',');
      first = false;
      NewLine(level + 1);
      WriteJsonString(key, options_.escape_html, out_);
      out_.Append(options_.indent < 0 ? ":" : ": ");
      Write(member, level + 1);
    }
    if (!first) NewLine(level);
    out_.Append('}');
  }

  void NewLine(int level) {
    if (options_.indent < 0) return;
    out_.Append('\n');
    out_.Append(std::string(static_cast<std::size_t>(options_.indent * level), ' '));
  }

  const JsonOptions& options_;
  SecretBuilder& out_;
};

}  // namespace

void WriteJson(const Value& value, const JsonOptions& options, SecretBuilder& out) {
  Writer(options, out).Write(value, 0);
}

void WriteJsonString(std::string_view text, bool escape_html, SecretBuilder& out) {
  out.Append('"');
  // What needs no escape is appended in runs: it is nearly everything.
  std::size_t run = 0;
  std::size_t i = 0;
  const auto replace = [&](std::size_t size, std::string_view with) {
    out.Append(text.substr(run, i - run));
    out.Append(with);
    i += size;
    run = i;
  };
  while (i < text.size()) {
    if (IsPlain(text[i])) {
      ++i;
      continue;
    }
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      if (const std::string escape = Escape(text[i], escape_html); !escape.empty()) {
        replace(1, escape);
      } else {
        ++i;
      }
      continue;
    }
    const std::size_t size = CharacterSize(text.substr(i));
    const std::string_view character = text.substr(i, size);
    if (size == 0) {
      replace(1, "\\ufffd");
    } else if (escape_html && character == "\u2028") {
      replace(size, "\\u2028");
    } else if (escape_html && character == "\u2029") {
      replace(size, "\\u2029");
    } else {
      i += size;
    }
  }
  out.Append(text.substr(run));
  out.Append('"');
}

}  // namespace escagent::esc
