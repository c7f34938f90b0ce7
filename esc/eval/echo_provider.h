#pragma once

#include "esc/eval/provider.h"

namespace escagent::eval {

// `fn::open::test: INPUTS` gives its inputs back.
class EchoProvider final : public Provider {
 public:
  SchemaPtr InputSchema() const override { return AlwaysSchema(); }
  SchemaPtr OutputSchema() const override { return AlwaysSchema(); }
  Result<esc::Value> Open(const esc::Value& inputs, const ProviderContext&) override {
    return inputs.Clone();
  }
};

}  // namespace escagent::eval
