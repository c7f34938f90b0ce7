#include "esc/eval/evaluator.h"

#include <utility>

#include "esc/eval/node.h"
#include "esc/eval/session.h"

namespace escagent::eval {

EvalResult Evaluate(std::string_view definition, const EvalOptions& options) {
  Session session(options);
  EvalResult result;
  result.root = session.EvaluateRoot(definition);
  // The whole may be unknown (too large), but it is always an object for its readers.
  result.properties = result.root->unknown ? esc::Value::MakeObject({}) : ToValue(*result.root);
  result.diagnostics = std::move(session.diagnostics());
  result.imported = session.TakeImported();
  return result;
}

std::optional<SourceRange> EvalResult::RangeOf(const esc::PropertyPath& path) const {
  NodePtr node = root;
  for (const esc::PropertyPath::Accessor& accessor : path.accessors()) {
    if (!node) return std::nullopt;
    if (const auto* key = std::get_if<std::string>(&accessor); key != nullptr) {
      node = NodePtr(MemberOf(node, *key));
    } else {
      const std::size_t index = std::get<std::size_t>(accessor);
      if (index >= node->elements.size()) return std::nullopt;
      node = NodePtr(node->elements[index]);
    }
  }
  if (!node) return std::nullopt;
  return node->definition;
}

}  // namespace escagent::eval
