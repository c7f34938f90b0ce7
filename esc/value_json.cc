#include "esc/value_json.h"

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

void WriteTrace(std::string_view environment, SecretBuilder& out) {
  constexpr std::string_view kPosition = R"({"line":0,"column":0,"byte":0})";
  out.Append(R"("trace":{"def":{"environment":)");
  WriteJsonString(environment, false, out);
  out.Append(R"(,"begin":)");
  out.Append(kPosition);
  out.Append(R"(,"end":)");
  out.Append(kPosition);
  out.Append("}}");
}

class NodeWriter {
 public:
  NodeWriter(const WireOptions& options, SecretBuilder& out) : options_(options), out_(out) {}

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
      WriteTrace(options_.environment, out_);
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
      WriteNode(member);
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
      WriteNode(array.elements()[i]);
    }
    out_.Append(']');
  }

  const WireOptions& options_;
  SecretBuilder& out_;
};

}  // namespace

Result<Value> ParseValueNode(std::string_view text, std::string_view what) {
  return Read(text, what, ValueReader::Document::kNode);
}

Result<Value> ParseEnvironment(std::string_view text, std::string_view what) {
  return Read(text, what, ValueReader::Document::kEnvironment);
}

void WriteValueNode(const Value& value, const WireOptions& options, SecretBuilder& out) {
  NodeWriter(options, out).WriteNode(value);
}

}  // namespace escagent::esc
