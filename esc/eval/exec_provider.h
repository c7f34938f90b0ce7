#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"
#include "esc/eval/provider.h"

namespace escagent::eval {

// `fn::open::exec: {command: [PROGRAM, ARGUMENT, ...]}` runs a program, without a shell, and gives
// the JSON that it prints, all of it secret. Whoever may write a definition may run anything with
// it, so it is for a person's own definitions only.
//
// The program gets this one's environment, no input, and a process group of its own that is killed
// when it takes longer than `timeout` or prints more than 1 MiB. What it prints to stderr is
// dropped: it may hold secrets.
class ExecProvider final : public Provider {
 public:
  // Borrows the clock.
  ExecProvider(const Clock& clock, std::chrono::milliseconds timeout)
      : clock_(clock), timeout_(timeout) {}

  SchemaPtr InputSchema() const override;
  SchemaPtr OutputSchema() const override { return AlwaysSchema(); }
  Result<esc::Value> Open(const esc::Value& inputs, const ProviderContext& context) override;

 private:
  const Clock& clock_;
  const std::chrono::milliseconds timeout_;
};

}  // namespace escagent::eval
