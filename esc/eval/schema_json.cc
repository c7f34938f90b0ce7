#include "esc/eval/wire_writer.h"
#include "esc/json_writer.h"

namespace escagent::eval {

void WireWriter::WriteSchemaList(std::string_view key, const std::vector<SchemaPtr>& schemas) {
  if (schemas.empty()) return;
  Key(key);
  Open('[');
  for (const SchemaPtr& schema : schemas) {
    Next();
    WriteSchema(*schema);
  }
  Close(']');
}

void WireWriter::WriteSchemaMap(std::string_view key,
                                const std::map<std::string, SchemaPtr, std::less<>>& schemas) {
  if (schemas.empty()) return;
  Key(key);
  Open('{');
  for (const auto& [name, schema] : schemas) {
    Key(name);
    WriteSchema(*schema);
  }
  Close('}');
}

void WireWriter::WriteNames(std::string_view key, const std::vector<std::string>& names) {
  if (names.empty()) return;
  Key(key);
  Open('[');
  for (const std::string& name : names) {
    Next();
    Text(name);
  }
  Close(']');
}

void WireWriter::WritePlain(const NodePtr& node) {
  esc::WriteJson(ToValue(*node), {.redact_secrets = options_.redact_secrets}, out_);
}

void WireWriter::WriteNumbers(const Schema& schema) {
  const auto write = [&](std::string_view key, const std::string& number) {
    if (number.empty()) return;
    Key(key);
    out_.Append(number);
  };
  write("multipleOf", schema.multiple_of);
  write("maximum", schema.maximum);
  write("exclusiveMaximum", schema.exclusive_maximum);
  write("minimum", schema.minimum);
  write("exclusiveMinimum", schema.exclusive_minimum);
  write("maxLength", schema.max_length);
  write("minLength", schema.min_length);
  write("maxItems", schema.max_items);
  write("minItems", schema.min_items);
  write("maxProperties", schema.max_properties);
  write("minProperties", schema.min_properties);
}

void WireWriter::WriteSchema(const Schema& schema) {
  // Beyond the room nothing is said of a value, which is true of every value.
  if (schema.always || !HasRoom()) return out_.Append("true");
  if (schema.never) return out_.Append("false");
  const auto text = [&](std::string_view key, const std::string& value) {
    if (value.empty()) return;
    Key(key);
    Text(value);
  };
  const auto flag = [&](std::string_view key, bool value) {
    if (!value) return;
    Key(key);
    out_.Append("true");
  };
  const auto nodes = [&](std::string_view key, const std::vector<NodePtr>& list) {
    if (list.empty()) return;
    Key(key);
    Open('[');
    for (const NodePtr& node : list) {
      Next();
      WritePlain(node);
    }
    Close(']');
  };
  Open('{');
  WriteSchemaMap("$defs", schema.defs);
  text("$ref", schema.ref);
  WriteSchemaList("anyOf", schema.any_of);
  WriteSchemaList("oneOf", schema.one_of);
  WriteSchemaList("prefixItems", schema.prefix_items);
  if (schema.items) {
    Key("items");
    WriteSchema(*schema.items);
  }
  if (schema.additional_properties) {
    Key("additionalProperties");
    WriteSchema(*schema.additional_properties);
  }
  WriteSchemaMap("properties", schema.properties);
  Key("type");
  Text(schema.type);
  if (schema.constant) {
    Key("const");
    WritePlain(schema.constant);
  }
  nodes("enum", schema.enumeration);
  WriteNumbers(schema);
  text("pattern", schema.pattern);
  flag("uniqueItems", schema.unique_items);
  WriteNames("required", schema.required);
  if (!schema.dependent_required.empty()) {
    Key("dependentRequired");
    Open('{');
    for (const auto& [name, names] : schema.dependent_required) WriteNames(name, names);
    Close('}');
  }
  text("title", schema.title);
  text("description", schema.description);
  if (schema.default_value) {
    Key("default");
    WritePlain(schema.default_value);
  }
  flag("deprecated", schema.deprecated);
  nodes("examples", schema.examples);
  flag("secret", schema.secret);
  WriteNames("rotateOnly", schema.rotate_only);
  Close('}');
}

}  // namespace escagent::eval
