#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "esc/eval/evaluator.h"
#include "esc/eval/schema.h"
#include "esc/value.h"

namespace escagent::eval {

// For whom a provider is opened.
struct ProviderContext {
  const Identity& identity;
  std::string_view environment;  // the one that calls the provider
};

// Behind `fn::open: {provider: NAME, inputs: ...}`: brings values from somewhere else. Called by
// one evaluation at a time, but by any number of evaluations at once. An error becomes a diagnostic
// at the call, so its text must not hold a value.
class Provider {
 public:
  virtual ~Provider() = default;
  // What it takes and what it gives; in check mode the latter is all that is known of the result.
  virtual SchemaPtr InputSchema() const = 0;
  virtual SchemaPtr OutputSchema() const = 0;
  // `inputs` is an object that fits the input schema and holds nothing unknown.
  virtual Result<esc::Value> Open(const esc::Value& inputs, const ProviderContext& context) = 0;
};

// Behind `fn::rotate: {provider: NAME, inputs: ..., state: ...}`: makes credentials, whose state
// (usually {current, previous}) is kept in the definition. As Provider in all else.
class Rotator {
 public:
  virtual ~Rotator() = default;
  virtual SchemaPtr InputSchema() const = 0;
  virtual SchemaPtr StateSchema() const = 0;
  virtual SchemaPtr OutputSchema() const = 0;
  // `state` is null before the first rotation. Inputs that are only for rotation are unknown.
  virtual Result<esc::Value> Open(const esc::Value& inputs, const esc::Value* state,
                                  const ProviderContext& context) = 0;
  // Gives the next state.
  virtual Result<esc::Value> Rotate(const esc::Value& inputs, const esc::Value* state,
                                    const ProviderContext& context) = 0;
};

// The providers that evaluations may use, by name. Filled before it is used; then thread-safe.
class ProviderRegistry {
 public:
  // Replaces one of the same name. INVALID_ARGUMENT when a schema is not valid.
  Status AddProvider(std::string name, std::shared_ptr<Provider> provider);
  Status AddRotator(std::string name, std::shared_ptr<Rotator> rotator);

  // Null when there is none.
  Provider* FindProvider(std::string_view name) const;
  Rotator* FindRotator(std::string_view name) const;

 private:
  std::map<std::string, std::shared_ptr<Provider>, std::less<>> providers_;
  std::map<std::string, std::shared_ptr<Rotator>, std::less<>> rotators_;
};

}  // namespace escagent::eval
