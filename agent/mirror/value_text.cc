#include "agent/mirror/value_text.h"

#include <utility>

#include "agent/mirror/go_float.h"
#include "base/strings.h"
#include "esc/json_writer.h"

namespace escagent::mirror {
namespace {

using esc::Value;

// A range of the source that nobody can use, in the place where ESC's server tells one.
constexpr std::string_view kEmptyTrace = "\"trace\":{}";

void AppendNumber(const Value& value, const Compat& compat, SecretBuilder& out) {
  if (!compat.eso_floats) {
    out.Append(value.ScalarText());
    return;
  }
  std::string text = GoJsonFloatText(value.ScalarText());
  out.Append(text);
  WipeString(text);
}

// JSON as ESO writes it into Secrets when it meets an object: of each value the node of ESC's
// REST API, its members sorted, as Go's encoding/json writes maps.
class NodeWriter {
 public:
  NodeWriter(const Compat& compat, SecretBuilder& out) : compat_(compat), out_(out) {}

  void WriteNode(const Value& value) {
    out_.Append('{');
    if (value.secret()) out_.Append("\"secret\":true,");
    out_.Append(kEmptyTrace);
    // The service leaves "value" out for null.
    if (value.kind() != Value::Kind::kNull) {
      out_.Append(",\"value\":");
      WriteContent(value);
    }
    out_.Append('}');
  }

  void WriteContent(const Value& value) {
    switch (value.kind()) {
      case Value::Kind::kObject:
        WriteMembers(value);
        return;
      case Value::Kind::kArray:
        WriteElements(value);
        return;
      case Value::Kind::kNumber:
        AppendNumber(value, compat_, out_);
        return;
      case Value::Kind::kString:
        esc::WriteJsonString(value.ScalarText(), true, out_);
        return;
      case Value::Kind::kBool:
      case Value::Kind::kNull:
        esc::WriteJson(value, {}, out_);
        return;
    }
  }

 private:
  void WriteMembers(const Value& value) {
    std::string_view separator = "{";
    if (value.members().empty()) out_.Append('{');
    for (const auto& [key, member] : value.members()) {
      out_.Append(separator);
      separator = ",";
      esc::WriteJsonString(key, true, out_);
      out_.Append(':');
      WriteNode(member);
    }
    out_.Append('}');
  }

  void WriteElements(const Value& value) {
    std::string_view separator = "[";
    if (value.elements().empty()) out_.Append('[');
    for (const Value& element : value.elements()) {
      out_.Append(separator);
      separator = ",";
      WriteNode(element);
    }
    out_.Append(']');
  }

  const Compat& compat_;
  SecretBuilder& out_;
};

Secret RenderNested(const Value& value, const Compat& compat) {
  SecretBuilder out;
  if (compat.eso_nested) {
    NodeWriter(compat, out).WriteContent(value);
  } else {
    esc::WriteJson(value, {}, out);
  }
  return out.Finish();
}

Status SetSwitch(std::string_view name, Compat& compat) {
  if (name == "all") {
    compat = {
        .eso_nested = true, .eso_floats = true, .silent_empty_extract = true, .fail_on_null = true};
  } else if (name == "nested") {
    compat.eso_nested = true;
  } else if (name == "floats") {
    compat.eso_floats = true;
  } else if (name == "empty-extract") {
    compat.silent_empty_extract = true;
  } else if (name == "null") {
    compat.fail_on_null = true;
  } else if (!name.empty() && name != "none") {
    return InvalidArgument("\"" + std::string(name.substr(0, 40)) +
                           "\" is not one of all, none, nested, floats, empty-extract, null");
  }
  return {};
}

}  // namespace

Result<Compat> ParseCompat(std::string_view text) {
  Compat compat;
  for (std::string_view name : Split(text, ',')) {
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    ESC_RETURN_IF_ERROR(SetSwitch(name, compat));
  }
  return compat;
}

Result<Compat> CompatOf(const StringMap& annotations, const Compat& fallback) {
  const auto annotation = annotations.find(kCompatAnnotation);
  if (annotation == annotations.end()) return fallback;
  Result<Compat> compat = ParseCompat(annotation->second);
  if (compat) return compat;
  return std::unexpected(
      Annotate(std::move(compat).error(), "annotation " + std::string(kCompatAnnotation)));
}

Result<Secret> RenderValue(const Value& value, const Compat& compat, const std::string& where) {
  if (value.ContainsUnknown()) {
    return FailedPrecondition(where +
                              " is (or holds) a value that is unknown to ESC, which must not be "
                              "written; see the environment's diagnostics with `esc open`");
  }
  if (!value.IsScalar()) return RenderNested(value, compat);
  if (value.kind() == Value::Kind::kNull && compat.fail_on_null) {
    return InvalidArgument(where + " is null: no value given for required property value");
  }
  if (value.kind() == Value::Kind::kNumber && compat.eso_floats) {
    return Secret(GoFloatText(value.ScalarText()));
  }
  return Secret(value.ScalarText());
}

}  // namespace escagent::mirror
