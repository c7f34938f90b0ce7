#pragma once

#include <string_view>

#include "agent/template/evaluator.h"
#include "agent/template/heap.h"
#include "agent/template/node.h"
#include "agent/template/value.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::gotemplate {

// Walks the statements of a parsed template and collects its output.
class Executor {
 public:
  // All of them outlive the executor. `name` is the main template's, `source` its text.
  Executor(std::string_view name, std::string_view source, const Templates& templates, Heap& heap)
      : name_(name), templates_(templates), heap_(heap), evaluator_(name, source, heap) {}
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  Result<Secret> Run(const Value& data);

 private:
  // How a block ended.
  enum class Flow { kOn, kBreak, kContinue };

  Result<Flow> WalkBlock(const Value& dot, const Block& block);
  Result<Flow> Walk(const Value& dot, const Statement& statement);
  Result<Flow> WalkIfOrWith(const Value& dot, const Statement& statement);
  Status WalkTemplate(const Value& dot, const Statement& statement);

  Result<Flow> WalkRange(const Value& dot, const Statement& statement);
  // Whether there was anything to range over.
  Result<bool> Iterate(const Value& over, const Statement& statement);
  Result<bool> IterateInteger(const Value& over, const Statement& statement);
  Result<bool> IterateList(const List& list, const Statement& statement);
  Result<bool> IterateMap(const Map& map, const Statement& statement);
  Result<Flow> WalkElement(const Value& key, const Value& element, const Statement& statement);

  Status Print(const Value& value);
  Status Write(std::string_view text);

  const std::string_view name_;
  const Templates& templates_;
  Heap& heap_;
  Evaluator evaluator_;
  SecretBuilder out_;
};

}  // namespace escagent::gotemplate
