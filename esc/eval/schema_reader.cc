#include <functional>
#include <utility>

#include "esc/eval/schema.h"

namespace escagent::eval {
namespace {

using Kind = esc::Value::Kind;

using Lists = std::map<std::string, std::vector<std::string>, std::less<>>;
using Schemas = std::map<std::string, SchemaPtr, std::less<>>;

std::vector<std::string> ReadTexts(const Node& node) {
  std::vector<std::string> texts;
  for (const NodePtr& element : node.elements) texts.emplace_back(element->Text());
  return texts;
}

// Fills a schema from the keywords of an object that was checked already.
class Reader {
 public:
  Result<SchemaPtr> Read(const Node& node) {
    if (node.kind == Kind::kBool) return node.boolean ? AlwaysSchema() : NeverSchema();
    if (node.kind != Kind::kObject) return InvalidArgument("a schema is an object or a boolean");
    Schema schema;
    for (const Node::Member& member : node.members) {
      ESC_RETURN_IF_ERROR(ReadKeyword(member.key, member.node, schema));
    }
    return SchemaPtr(std::make_shared<const Schema>(std::move(schema)));
  }

 private:
  Status ReadKeyword(std::string_view name, const NodePtr& node, Schema& schema) {
    if (std::string* text = TextOf(name, schema)) {
      *text = std::string(node->Text());
      return {};
    }
    if (name == "$defs") return ReadSchemas(*node, schema.defs);
    if (name == "properties") return ReadSchemas(*node, schema.properties);
    if (name == "anyOf") return ReadList(*node, schema.any_of);
    if (name == "oneOf") return ReadList(*node, schema.one_of);
    if (name == "prefixItems") return ReadList(*node, schema.prefix_items);
    if (name == "items") return ReadOne(*node, schema.items);
    if (name == "additionalProperties") return ReadOne(*node, schema.additional_properties);
    if (name == "const" && node->kind != Kind::kNull) schema.constant = node;
    if (name == "enum") schema.enumeration = node->elements;
    if (name == "uniqueItems") schema.unique_items = node->boolean;
    if (name == "required") schema.required = ReadTexts(*node);
    if (name == "default") schema.default_value = node;
    if (name == "deprecated") schema.deprecated = node->boolean;
    if (name == "examples") schema.examples = node->elements;
    if (name == "secret") schema.secret = node->boolean;
    if (name == "rotateOnly") schema.rotate_only = ReadTexts(*node);
    if (name == "dependentRequired") {
      for (const Node::Member& member : node->members) {
        schema.dependent_required[member.key] = ReadTexts(*member.node);
      }
    }
    return {};
  }

  static std::string* TextOf(std::string_view name, Schema& schema) {
    const std::map<std::string_view, std::string*> texts = {
        {"$ref", &schema.ref},
        {"type", &schema.type},
        {"multipleOf", &schema.multiple_of},
        {"maximum", &schema.maximum},
        {"exclusiveMaximum", &schema.exclusive_maximum},
        {"minimum", &schema.minimum},
        {"exclusiveMinimum", &schema.exclusive_minimum},
        {"maxLength", &schema.max_length},
        {"minLength", &schema.min_length},
        {"pattern", &schema.pattern},
        {"maxItems", &schema.max_items},
        {"minItems", &schema.min_items},
        {"maxProperties", &schema.max_properties},
        {"minProperties", &schema.min_properties},
        {"title", &schema.title},
        {"description", &schema.description}};
    const auto at = texts.find(name);
    return at == texts.end() ? nullptr : at->second;
  }

  Status ReadOne(const Node& node, SchemaPtr& schema) {
    ESC_ASSIGN_OR_RETURN(schema, Read(node));
    return {};
  }

  Status ReadList(const Node& node, std::vector<SchemaPtr>& schemas) {
    for (const NodePtr& element : node.elements) {
      ESC_RETURN_IF_ERROR(ReadOne(*element, schemas.emplace_back()));
    }
    return {};
  }

  Status ReadSchemas(const Node& node, Schemas& schemas) {
    for (const Node::Member& member : node.members) {
      ESC_RETURN_IF_ERROR(ReadOne(*member.node, schemas[member.key]));
    }
    return {};
  }
};

SchemaPtr EnumSchema(std::vector<std::string_view> texts) {
  Schema schema;
  schema.type = "string";
  for (const std::string_view text : texts) {
    schema.enumeration.push_back(MakeString(Secret(text), /*secret=*/false, nullptr));
  }
  return std::make_shared<const Schema>(std::move(schema));
}

SchemaPtr RefSchema() {
  Schema schema;
  schema.ref = "#/$defs/schema";
  return std::make_shared<const Schema>(std::move(schema));
}

SchemaPtr MapSchema(SchemaPtr values) {
  Schema schema;
  schema.type = "object";
  schema.additional_properties = std::move(values);
  return std::make_shared<const Schema>(std::move(schema));
}

SchemaPtr MakeMetaSchema() {
  const auto anything = std::make_shared<const Schema>();
  Schema keywords;
  keywords.type = "object";
  Schemas& properties = keywords.properties;
  for (const char* name : {"$defs", "properties"}) properties[name] = MapSchema(RefSchema());
  for (const char* name : {"anyOf", "oneOf", "prefixItems"}) {
    properties[name] = ArraySchema(RefSchema());
  }
  for (const char* name : {"items", "additionalProperties"}) properties[name] = RefSchema();
  properties["type"] = EnumSchema({"string", "number", "boolean", "array", "object", "null"});
  for (const char* name : {"const", "default"}) properties[name] = anything;
  for (const char* name : {"enum", "examples"}) properties[name] = TypeSchema("array");
  for (const char* name :
       {"multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength",
        "minLength", "maxItems", "minItems", "maxProperties", "minProperties"}) {
    properties[name] = TypeSchema("number");
  }
  for (const char* name : {"$ref", "pattern", "title", "description"}) {
    properties[name] = TypeSchema("string");
  }
  for (const char* name : {"uniqueItems", "deprecated"}) properties[name] = TypeSchema("boolean");
  properties["required"] = ArraySchema(TypeSchema("string"));
  properties["dependentRequired"] = MapSchema(ArraySchema(TypeSchema("string")));

  Schema definition;
  definition.any_of = {TypeSchema("boolean"), std::make_shared<const Schema>(std::move(keywords))};
  Schema meta;
  meta.defs["schema"] = std::make_shared<const Schema>(std::move(definition));
  meta.ref = "#/$defs/schema";
  auto shared = std::make_shared<const Schema>(std::move(meta));
  static_cast<void>(CompileSchema(*shared));
  return shared;
}

}  // namespace

SchemaPtr MetaSchema() {
  static const SchemaPtr kMeta = MakeMetaSchema();
  return kMeta;
}

Result<SchemaPtr> SchemaFromNode(const Node& node) { return Reader().Read(node); }

}  // namespace escagent::eval
