#include "esc/eval/env_provider.h"

#include <cstdlib>
#include <utility>

namespace escagent::eval {

SchemaPtr EnvProvider::InputSchema() const {
  return RecordSchema({{"names", ArraySchema(TypeSchema("string"))}});
}

SchemaPtr EnvProvider::OutputSchema() const {
  Schema schema;
  schema.type = "object";
  schema.additional_properties = TypeSchema("string");
  return std::make_shared<const Schema>(std::move(schema));
}

Result<esc::Value> EnvProvider::Open(const esc::Value& inputs, const ProviderContext&) {
  const esc::Value* names = inputs.Find("names");
  if (names == nullptr) return InvalidArgument("fn::open::env needs names");
  esc::Value::Object variables;
  for (const esc::Value& input : names->elements()) {
    const std::string name(input.ScalarText());
    if (!allowed_.contains(name)) {
      return PermissionDenied("read variable " + name +
                              " for fn::open: not allowed; see --allow-env");
    }
    const char* text = std::getenv(name.c_str());
    if (text == nullptr) return NotFound("read variable " + name + " for fn::open: not set");
    variables.emplace_back(name, esc::Value::String(Secret(std::string_view(text))));
  }
  esc::Value output = esc::Value::MakeObject(std::move(variables));
  output.MarkSecret();
  return output;
}

}  // namespace escagent::eval
