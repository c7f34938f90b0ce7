#include "esc/eval/echo_rotator.h"

#include <utility>

namespace escagent::eval {

SchemaPtr EchoRotator::InputSchema() const {
  Schema schema = *RecordSchema({{"next", TypeSchema("string")}});
  schema.rotate_only = {"next"};
  return std::make_shared<const Schema>(std::move(schema));
}

SchemaPtr EchoRotator::StateSchema() const {
  Schema schema = *RecordSchema({{"current", TypeSchema("string")}});
  schema.properties["previous"] = TypeSchema("string");
  return std::make_shared<const Schema>(std::move(schema));
}

Result<esc::Value> EchoRotator::Open(const esc::Value&, const esc::Value* state,
                                     const ProviderContext&) {
  if (state == nullptr) return FailedPrecondition("fn::rotate::test was not rotated yet");
  return state->Clone();
}

Result<esc::Value> EchoRotator::Rotate(const esc::Value& inputs, const esc::Value* state,
                                       const ProviderContext&) {
  const esc::Value* next = inputs.Find("next");
  if (next == nullptr) return InvalidArgument("fn::rotate::test needs next");
  esc::Value::Object rotated;
  rotated.emplace_back("current", next->Clone());
  if (const esc::Value* current = state != nullptr ? state->Find("current") : nullptr) {
    rotated.emplace_back("previous", current->Clone());
  }
  return esc::Value::MakeObject(std::move(rotated));
}

}  // namespace escagent::eval
