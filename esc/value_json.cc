#include "esc/value_json.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "esc/json_writer.h"
#include "esc/value_reader.h"

namespace escagent::esc {
namespace {

Result<Value> Read(std::string_view text, std::string_view what, ValueReader::Document document) {
  ValueReader reader(document);
  Status status = ParseJsonSax(text, what, reader);
  if (reader.fault()) return InvalidArgument("read " + std::string(what) + ": " + *reader.fault());
  ESC_RETURN_IF_ERROR(std::move(status));
  return reader.TakeResult();
}

void WriteNumber(int number, SecretBuilder& out) { out.Append(std::to_string(number)); }

void WritePosition(const SourcePosition& position, SecretBuilder& out) {
  out.Append("{\"line\":");
  WriteNumber(position.line, out);
  out.Append(",\"column\":");
  WriteNumber(position.column, out);
  out.Append(",\"byte\":");
  WriteNumber(position.byte, out);
  out.Append('}');
}

void WriteTrace(const SourceRange& range, SecretBuilder& out) {
  out.Append("\"trace\":{\"def\":{\"environment\":");
  WriteJsonString(range.environment, false, out);
  out.Append(",\"begin\":");
  WritePosition(range.begin, out);
  out.Append(",\"end\":");
  WritePosition(range.end, out);
  out.Append("}}");
}

class NodeWriter {
 public:
  NodeWriter(const WireOptions& options, PropertyPath path, SecretBuilder& out)
      : options_(options), path_(std::move(path)), out_(out) {}

  void WriteNode(const Value& value) {
    out_.Append('{');
    std::string_view separator;
    const auto next_member = [&] {
      out_.Append(separator);
      separator = ",";
    };
    // An unknown value has nothing to show, whatever it holds.
    const bool is_null = value.unknown() || value.kind() == Value::Kind::kNull;
    if (!is_null || !options_.omit_null_value) {
      next_member();
      out_.Append("\"value\":");
      if (is_null) {
        out_.Append("null");
      } else {
        WriteContent(value);
      }
    }
    if (value.secret()) {
      next_member();
      out_.Append("\"secret\":true");
    }
    if (value.unknown()) {
      next_member();
      out_.Append("\"unknown\":true");
    }
    if (!options_.omit_trace) {
      next_member();
      WriteTrace(RangeHere(), out_);
    }
    out_.Append('}');
  }

  void WriteMembers(const Value& object) {
    out_.Append('{');
    std::string_view separator;
    for (const auto& [key, member] : object.members()) {
      out_.Append(separator);
      separator = ",";
      WriteJsonString(key, false, out_);
      out_.Append(':');
      path_.Append(key);
      WriteNode(member);
      path_.RemoveLast();
    }
    out_.Append('}');
  }

 private:
  void WriteContent(const Value& value) {
    if (value.kind() == Value::Kind::kObject) {
      WriteMembers(value);
    } else if (value.kind() == Value::Kind::kArray) {
      WriteElements(value);
    } else {
      WriteJson(value, {}, out_);
    }
  }

  void WriteElements(const Value& array) {
    out_.Append('[');
    for (std::size_t i = 0; i < array.elements().size(); ++i) {
      if (i > 0) out_.Append(',');
      path_.Append(i);
      WriteNode(array.elements()[i]);
      path_.RemoveLast();
    }
    out_.Append(']');
  }

  SourceRange RangeHere() const {
    if (options_.range) {
      if (std::optional<SourceRange> range = options_.range(path_)) return *std::move(range);
    }
    return {.environment = options_.environment, .begin = {}, .end = {}};
  }

  const WireOptions& options_;
  PropertyPath path_;
  SecretBuilder& out_;
};

}  // namespace

Result<Value> ParseValueNode(std::string_view text, std::string_view what) {
  return Read(text, what, ValueReader::Document::kNode);
}

Result<Value> ParseEnvironment(std::string_view text, std::string_view what) {
  return Read(text, what, ValueReader::Document::kEnvironment);
}

void WriteValueNode(const Value& value, const PropertyPath& path, const WireOptions& options,
                    SecretBuilder& out) {
  NodeWriter(options, path, out).WriteNode(value);
}

void WriteEnvironment(const Value& properties, const WireOptions& options,
                      std::span<const Diagnostic> diagnostics, SecretBuilder& out) {
  out.Append("{\"exprs\":{},\"properties\":");
  NodeWriter(options, PropertyPath(), out).WriteMembers(properties);
  out.Append(",\"schema\":{},\"executionContext\":{\"properties\":{},\"schema\":{}}");
  if (!diagnostics.empty()) {
    out.Append(",\"diagnostics\":");
    out.Append(DumpJson(DiagnosticsToJson(diagnostics)));
  }
  out.Append('}');
}

}  // namespace escagent::esc
