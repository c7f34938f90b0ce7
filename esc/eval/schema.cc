#include "esc/eval/schema.h"

#include <re2/re2.h>

#include <charconv>
#include <cstdint>
#include <utility>

#include "esc/eval/schema_memo.h"

namespace escagent::eval {
namespace {

using Kind = esc::Value::Kind;

// A schema is large: it is made where it stays.
std::shared_ptr<Schema> NewSchema(std::string_view type) {
  auto schema = std::make_shared<Schema>();
  schema->type = type;
  return schema;
}

// Of an object with exactly these properties.
std::shared_ptr<Schema> NewRecord(std::map<std::string, SchemaPtr, std::less<>> properties) {
  auto schema = NewSchema("object");
  for (const auto& [name, property] : properties) schema->required.push_back(name);
  schema->properties = std::move(properties);
  return schema;
}

// What all of the alternatives that can be leave open. Null and `never` cannot be.
SchemaPtr Union(std::vector<SchemaPtr> alternatives) {
  std::erase_if(alternatives, [](const SchemaPtr& s) { return !s || s->never; });
  if (alternatives.empty()) return NeverSchema();
  if (alternatives.size() == 1) return alternatives.front();
  return OneOfSchema(std::move(alternatives));
}

// Sets the targets of references, and finds what is wrong with the keywords.
class Compiler {
 public:
  explicit Compiler(const Schema& root) : root_(root) {}

  Status Compile(const Schema& schema) {
    if (schema.compiled) return {};
    schema.compiled = true;
    if (!schema.ref.empty()) ESC_RETURN_IF_ERROR(Resolve(schema));
    for (const auto* list : {&schema.any_of, &schema.one_of, &schema.prefix_items}) {
      for (const SchemaPtr& part : *list) ESC_RETURN_IF_ERROR(Compile(*part));
    }
    if (schema.items) ESC_RETURN_IF_ERROR(Compile(*schema.items));
    if (schema.additional_properties) ESC_RETURN_IF_ERROR(Compile(*schema.additional_properties));
    for (const auto& [name, property] : schema.properties) ESC_RETURN_IF_ERROR(Compile(*property));
    return CheckKeywords(schema);
  }

 private:
  Status Resolve(const Schema& schema) {
    constexpr std::string_view kPrefix = "#/$defs/";
    const std::string_view ref = schema.ref;
    if (!ref.starts_with(kPrefix) || ref.substr(kPrefix.size()).contains('/')) {
      return InvalidArgument("only fragment references of the form #/$defs/ref are supported");
    }
    const auto at = root_.defs.find(ref.substr(kPrefix.size()));
    if (at == root_.defs.end()) return InvalidArgument("unknown subschema " + schema.ref);
    schema.target = at->second.get();
    return Compile(*schema.target);
  }

  Status CheckKeywords(const Schema& schema) {
    for (const std::string* length :
         {&schema.max_length, &schema.min_length, &schema.max_items, &schema.min_items,
          &schema.max_properties, &schema.min_properties}) {
      std::uint64_t value = 0;
      const auto [end, error] =
          std::from_chars(length->data(), length->data() + length->size(), value);
      if (!length->empty() && (error != std::errc() || end != length->data() + length->size())) {
        return InvalidArgument("a length must be a whole number that is not negative, got " +
                               *length);
      }
    }
    if (schema.pattern.empty()) return {};
    const RE2 pattern(schema.pattern, RE2::Quiet);
    if (!pattern.ok()) return InvalidArgument("error parsing regexp: " + pattern.error());
    return {};
  }

  const Schema& root_;
};

SchemaPtr OwnSchemaOf(const Node& node, SchemaMemo& memo) {
  if (node.schema) return node.schema;
  switch (node.kind) {
    case Kind::kNull:
      return node.unknown ? AlwaysSchema() : TypeSchema("null");
    case Kind::kBool:
    case Kind::kNumber:
    case Kind::kString: {
      auto schema = NewSchema(node.kind == Kind::kBool     ? "boolean"
                              : node.kind == Kind::kNumber ? "number"
                                                           : "string");
      auto constant = std::make_shared<Node>();
      constant->kind = node.kind;
      constant->boolean = node.boolean;
      constant->secret = node.secret;
      constant->text = node.text;
      schema->constant = std::move(constant);
      return schema;
    }
    case Kind::kArray: {
      std::vector<SchemaPtr> items;
      for (const NodePtr& element : node.elements) items.push_back(SchemaOf(*element, memo));
      return TupleSchema(std::move(items));
    }
    case Kind::kObject: {
      std::map<std::string, SchemaPtr, std::less<>> properties;
      for (const Node::Member& member : node.members) {
        if (!member.inherited) properties.emplace(member.key, SchemaOf(*member.node, memo));
      }
      return RecordSchema(std::move(properties));
    }
  }
  return AlwaysSchema();
}

}  // namespace

SchemaPtr AlwaysSchema() {
  static const SchemaPtr kAlways = [] {
    auto schema = NewSchema("");
    schema->always = true;
    schema->compiled = true;
    return schema;
  }();
  return kAlways;
}

SchemaPtr NeverSchema() {
  static const SchemaPtr kNever = [] {
    auto schema = NewSchema("");
    schema->never = true;
    schema->compiled = true;
    return schema;
  }();
  return kNever;
}

SchemaPtr TypeSchema(std::string_view type) {
  static const auto kTypes = [] {
    std::map<std::string, SchemaPtr, std::less<>> types;
    for (const char* name : {"string", "number", "boolean", "null", "array", "object"}) {
      auto schema = NewSchema(name);
      schema->compiled = true;
      types.emplace(name, std::move(schema));
    }
    return types;
  }();
  return kTypes.find(type)->second;
}

SchemaPtr ArraySchema(SchemaPtr items) {
  auto schema = NewSchema("array");
  schema->items = std::move(items);
  return schema;
}

SchemaPtr TupleSchema(std::vector<SchemaPtr> items) {
  auto schema = NewSchema("array");
  schema->prefix_items = std::move(items);
  schema->items = NeverSchema();
  return schema;
}

SchemaPtr RecordSchema(std::map<std::string, SchemaPtr, std::less<>> properties) {
  return NewRecord(std::move(properties));
}

SchemaPtr OneOfSchema(std::vector<SchemaPtr> alternatives) {
  auto schema = NewSchema("");
  schema->one_of = std::move(alternatives);
  return schema;
}

Status CompileSchema(const Schema& schema) { return Compiler(schema).Compile(schema); }

SchemaPtr ItemOf(const Schema& schema, std::size_t index) {
  std::vector<SchemaPtr> alternatives;
  for (const auto* list : {&schema.any_of, &schema.one_of}) {
    for (const SchemaPtr& part : *list) alternatives.push_back(ItemOf(*part, index));
  }
  if (schema.type == "array") {
    alternatives.push_back(index < schema.prefix_items.size() ? schema.prefix_items[index]
                                                              : schema.items);
  }
  return Union(std::move(alternatives));
}

SchemaPtr PropertyOf(const Schema& schema, std::string_view name) {
  std::vector<SchemaPtr> alternatives;
  for (const auto* list : {&schema.any_of, &schema.one_of}) {
    for (const SchemaPtr& part : *list) alternatives.push_back(PropertyOf(*part, name));
  }
  if (schema.type == "object") {
    const auto at = schema.properties.find(name);
    alternatives.push_back(at != schema.properties.end() ? at->second
                                                         : schema.additional_properties);
  }
  return Union(std::move(alternatives));
}

SchemaPtr MergeSchemas(const SchemaPtr& base, const SchemaPtr& top) {
  if (!base || top->type != "object" || base->type != "object") return top;
  std::map<std::string, SchemaPtr, std::less<>> properties = base->properties;
  for (const auto& [name, property] : top->properties) {
    SchemaPtr& merged = properties[name];
    merged = MergeSchemas(merged, property);
  }
  auto schema = NewRecord(std::move(properties));
  schema->additional_properties = top->additional_properties;
  if (base->additional_properties) {
    schema->additional_properties =
        top->additional_properties ? AlwaysSchema() : base->additional_properties;
  }
  return schema;
}

SchemaPtr SchemaOf(const Node& node) {
  SchemaMemo memo;
  return SchemaOf(node, memo);
}

SchemaPtr SchemaOf(const Node& node, SchemaMemo& memo) {
  if (const auto known = memo.find(&node); known != memo.end()) return known->second;
  SchemaPtr schema = OwnSchemaOf(node, memo);
  if (node.base && schema->type == "object") {
    schema = MergeSchemas(SchemaOf(*node.base, memo), schema);
  }
  memo.emplace(&node, schema);
  return schema;
}

}  // namespace escagent::eval
