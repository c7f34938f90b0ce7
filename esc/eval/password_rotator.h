#pragma once

#include "esc/eval/provider.h"

namespace escagent::eval {

// `fn::rotate::password: {inputs: {length, lower, upper, special, minLower, minUpper, minSpecial,
// overrideSpecial}}` makes random passwords, as ESC's rotator of this name does
// (https://www.pulumi.com/docs/esc/integrations/rotated-secrets/password). All inputs may be
// absent. Its value is the newest password; the state, {current, previous}, keeps the one before,
// so that both can be valid while it is handed out. Opening what was never rotated is an error.
class PasswordRotator final : public Rotator {
 public:
  SchemaPtr InputSchema() const override;
  SchemaPtr StateSchema() const override;
  SchemaPtr OutputSchema() const override;
  Result<esc::Value> Open(const esc::Value& inputs, const esc::Value* state,
                          const ProviderContext& context) override;
  Result<esc::Value> Rotate(const esc::Value& inputs, const esc::Value* state,
                            const ProviderContext& context) override;
};

}  // namespace escagent::eval
