#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "esc/eval/evaluator.h"

namespace escagent::eval {

// Texts of definitions by the name that imports use.
using Definitions = std::map<std::string, std::string>;

// Definitions in memory.
class MapLoader final : public EnvironmentLoader {
 public:
  explicit MapLoader(Definitions definitions) : definitions_(std::move(definitions)) {}

  Result<Secret> Load(std::string_view name) override;
  int loads() const { return loads_; }

 private:
  Definitions definitions_;
  int loads_ = 0;
};

// Evaluates as environment "demo/root" of organization acme.
EvalResult EvaluateText(std::string_view definition, EnvironmentLoader* loader = nullptr);

// The properties as JSON with secrets shown, unknown values as "[unknown]".
std::string Revealed(const EvalResult& result);
// The same with secrets as "[secret]".
std::string Redacted(const EvalResult& result);
// One line for each finding: "3:5 values.a summary" (a warning begins with "warning ").
std::string Findings(const EvalResult& result);

// The JSON of the value of `v` in a definition that must have no findings.
std::string ValueOf(std::string_view definition, EnvironmentLoader* loader = nullptr);

}  // namespace escagent::eval
