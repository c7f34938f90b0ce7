#include "esc/eval/evaluator.h"

#include <utility>

#include "esc/eval/evaluation.h"
#include "esc/eval/session.h"

namespace escagent::eval {

EvalResult Evaluate(std::string_view definition, const EvalOptions& options) {
  auto evaluation = std::make_shared<Evaluation>();
  Session session(options, *evaluation);
  session.EvaluateRoot(definition);
  EvalResult result;
  // The whole may be unknown (too large), but it is always an object for its readers.
  result.properties =
      evaluation->root->unknown ? esc::Value::MakeObject({}) : ToValue(*evaluation->root);
  result.diagnostics = std::move(session.diagnostics());
  result.imported = session.TakeImported();
  result.rotations = std::move(session.rotations());
  result.evaluation = std::move(evaluation);
  return result;
}

std::optional<SourceRange> EvalResult::RangeOf(const esc::PropertyPath& path) const {
  const NodePtr node = evaluation ? NodeAt(*evaluation, path) : nullptr;
  if (!node) return std::nullopt;
  return node->definition->expression->range;
}

NodePtr NodeAt(const Evaluation& evaluation, const esc::PropertyPath& path) {
  NodePtr node = evaluation.root;
  for (const esc::PropertyPath::Accessor& accessor : path.accessors()) {
    if (!node) return nullptr;
    if (const auto* key = std::get_if<std::string>(&accessor); key != nullptr) {
      const Node::Member* member = node->FindMember(*key);
      node = member != nullptr ? NodePtr(member->node) : nullptr;
    } else {
      const std::size_t index = std::get<std::size_t>(accessor);
      node = index < node->elements.size() ? NodePtr(node->elements[index]) : nullptr;
    }
  }
  return node;
}

}  // namespace escagent::eval
