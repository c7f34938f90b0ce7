#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "esc/eval/node.h"

namespace escagent::eval {

struct Schema;
// Immutable and shared once it was built.
using SchemaPtr = std::shared_ptr<const Schema>;

// What values look like: the part of JSON Schema (2020-12) that ESC knows. Every value that is
// evaluated has one, providers declare what they take and give, and fn::validate reads one from the
// definition. `true` is `always`, `false` is `never`; all other members are the keywords.
struct Schema {
  bool never = false;
  bool always = false;

  std::map<std::string, SchemaPtr, std::less<>> defs;

  std::string ref;  // "#/$defs/NAME" and no other form
  std::vector<SchemaPtr> any_of;
  std::vector<SchemaPtr> one_of;
  std::vector<SchemaPtr> prefix_items;
  SchemaPtr items;                  // null: no keyword
  SchemaPtr additional_properties;  // null: no keyword
  std::map<std::string, SchemaPtr, std::less<>> properties;

  std::string type;  // "" for any
  NodePtr constant;
  std::vector<NodePtr> enumeration;
  // Numbers as they were written; "" for no keyword.
  std::string multiple_of, maximum, exclusive_maximum, minimum, exclusive_minimum;
  std::string max_length, min_length, max_items, min_items, max_properties, min_properties;
  std::string pattern;  // RE2
  bool unique_items = false;
  std::vector<std::string> required;
  std::map<std::string, std::vector<std::string>, std::less<>> dependent_required;

  std::string title, description;
  NodePtr default_value;
  bool deprecated = false;
  std::vector<NodePtr> examples;

  // ESC's own: whether the value is secret, and which properties of a rotator's inputs are only
  // evaluated while it rotates.
  bool secret = false;
  std::vector<std::string> rotate_only;

  // What `ref` names: in the same root's `defs`, which therefore must outlive this. Set by
  // CompileSchema().
  mutable const Schema* target = nullptr;
  // Set by CompileSchema() before the schema is shared.
  mutable bool compiled = false;
};

SchemaPtr AlwaysSchema();
SchemaPtr NeverSchema();
// Of one type ("string", "number", "boolean", "null", "array", "object").
SchemaPtr TypeSchema(std::string_view type);
SchemaPtr ArraySchema(SchemaPtr items);
SchemaPtr TupleSchema(std::vector<SchemaPtr> items);
// An object with exactly these properties, all of them required.
SchemaPtr RecordSchema(std::map<std::string, SchemaPtr, std::less<>> properties);
SchemaPtr OneOfSchema(std::vector<SchemaPtr> alternatives);
// The schema that every schema has (what fn::validate takes).
SchemaPtr MetaSchema();

// Resolves references, and checks numbers and patterns. Errors are INVALID_ARGUMENT. Not
// thread-safe for one schema; a schema that came through can be shared between threads.
Status CompileSchema(const Schema& schema);

// What an element or a property may be; a property that is not described may be anything that
// `additionalProperties` says.
SchemaPtr ItemOf(const Schema& schema, std::size_t index);
SchemaPtr PropertyOf(const Schema& schema, std::string_view name);

// `top` over `base`, as values merge: objects property by property, anything else as a whole.
// `base` may be null.
SchemaPtr MergeSchemas(const SchemaPtr& base, const SchemaPtr& top);

// The schema of a value: what it was given, or else one that only this value has.
SchemaPtr SchemaOf(const Node& node);

// Reads a schema from an evaluated value that fits MetaSchema().
Result<SchemaPtr> SchemaFromNode(const Node& node);

}  // namespace escagent::eval
