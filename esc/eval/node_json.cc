#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "esc/eval/wire_writer.h"
#include "esc/json_writer.h"

namespace escagent::eval {

namespace {

using Kind = esc::Value::Kind;

}  // namespace

void WireWriter::Open(char bracket) {
  out_.Append(bracket);
  first_ = true;
}

void WireWriter::Close(char bracket) {
  out_.Append(bracket);
  first_ = false;
}

void WireWriter::Next() {
  if (!first_) out_.Append(',');
  first_ = false;
}

void WireWriter::Key(std::string_view key) {
  Next();
  Text(key);
  out_.Append(':');
}

void WireWriter::Text(std::string_view text) {
  esc::WriteJsonString(text, /*escape_html=*/false, out_);
}

void WireWriter::WriteRange(const SourceRange& range) {
  // In few pieces, as most of the document is ranges.
  out_.Append("{\"environment\":");
  Text(range.environment ? range.EnvironmentName() : environment_);
  std::array<char, 256> text;  // the words have 69 characters, six numbers at most 20 each
  char* at = text.data();
  const auto put = [&](std::string_view words, auto number) {
    at = std::ranges::copy(words, at).out;
    at = std::to_chars(at, text.data() + text.size(), number).ptr;
  };
  put(R"(,"begin":{"line":)", range.begin.line);
  put(R"(,"column":)", range.begin.column);
  put(R"(,"byte":)", range.begin.byte);
  put(R"(},"end":{"line":)", range.end.line);
  put(R"(,"column":)", range.end.column);
  put(R"(,"byte":)", range.end.byte);
  out_.Append({text.data(), at});
  out_.Append("}}");
  first_ = false;
}

void WireWriter::WriteContent(const Node& node) {
  switch (node.kind) {
    case Kind::kNull:
      return out_.Append("null");
    case Kind::kBool:
      return out_.Append(node.boolean ? "true" : "false");
    case Kind::kNumber:
      return out_.Append(node.Text());
    case Kind::kString:
      return Text(node.Text());
    case Kind::kArray:
      Open('[');
      for (const NodePtr& element : node.elements) {
        Next();
        WriteNode(*element);
      }
      return Close(']');
    case Kind::kObject:
      return WriteMembers(node);
  }
}

void WireWriter::WriteMembers(const Node& object) {
  Open('{');
  for (const Node::Member& member : object.members) {
    Key(member.key);
    WriteNode(*member.node);
  }
  Close('}');
}

void WireWriter::WriteNode(const Node& node) {
  Open('{');
  if (node.secret && options_.redact_secrets) {
    Key("value");
    Text("[secret]");
  } else if (node.kind != Kind::kNull || !options_.omit_null_value) {
    Key("value");
    WriteContent(node);
  }
  if (node.secret) {
    Key("secret");
    out_.Append("true");
  }
  if (node.unknown) {
    Key("unknown");
    out_.Append("true");
  }
  if (!options_.omit_trace) {
    Key("trace");
    Open('{');
    Key("def");
    WriteRange(node.definition->expression->range);
    if (node.base && WritesBase()) {
      Key("base");
      const std::string_view environment = std::exchange(environment_, "<import>");
      WriteNode(*node.base);
      environment_ = environment;
    }
    Close('}');
  }
  Close('}');
}

}  // namespace escagent::eval
