#pragma once

#include "esc/eval/provider.h"

namespace escagent::eval {

// `fn::rotate::test: {inputs: {next: TEXT}, state: ...}` rotates to the text that it is given, and
// keeps the one before: its state and its value are {current, previous}. As with ESC's rotators of
// credentials, its input is only evaluated while it rotates.
class EchoRotator final : public Rotator {
 public:
  SchemaPtr InputSchema() const override;
  SchemaPtr StateSchema() const override;
  SchemaPtr OutputSchema() const override { return StateSchema(); }
  // FAILED_PRECONDITION before the first rotation.
  Result<esc::Value> Open(const esc::Value& inputs, const esc::Value* state,
                          const ProviderContext& context) override;
  Result<esc::Value> Rotate(const esc::Value& inputs, const esc::Value* state,
                            const ProviderContext& context) override;
};

}  // namespace escagent::eval
