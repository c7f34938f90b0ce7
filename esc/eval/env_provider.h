#pragma once

#include <set>
#include <string>

#include "esc/eval/provider.h"

namespace escagent::eval {

// `fn::open::env: {names: [NAME, ...]}` gives variables of this program's environment as an object,
// all of it secret. Only those that were allowed; an error when one is not set.
class EnvProvider final : public Provider {
 public:
  explicit EnvProvider(std::set<std::string, std::less<>> allowed) : allowed_(std::move(allowed)) {}

  SchemaPtr InputSchema() const override;
  SchemaPtr OutputSchema() const override;
  Result<esc::Value> Open(const esc::Value& inputs, const ProviderContext& context) override;

 private:
  const std::set<std::string, std::less<>> allowed_;
};

}  // namespace escagent::eval
