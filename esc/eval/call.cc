#include "esc/eval/call.h"

#include <utility>

#include "esc/eval/validator.h"

namespace escagent::eval {

Call::Typed Call::Argument(std::size_t index, const SchemaPtr& schema) {
  Typed argument;
  argument.value = scope_.Evaluate(cell_.children[index], {.schema = schema});
  argument.fits = Validate(*argument.value, *schema, budget(), session().diagnostics());
  return argument;
}

NodePtr Call::String(Secret text, bool secret) {
  if (text.Size() > kMaxValueSize) return Fail("the string is longer than 16 MiB");
  budget().Spend(text.Size());
  Node node;
  node.kind = esc::Value::Kind::kString;
  node.text = std::make_shared<const Secret>(std::move(text));
  node.secret = secret;
  node.definition = &cell_;
  node.schema = cell_.schema;
  return Seal(std::move(node));
}

NodePtr Call::Unknown(bool secret) const {
  Node node;
  node.unknown = true;
  node.secret = secret;
  node.definition = &cell_;
  node.schema = cell_.schema;
  return Seal(std::move(node));
}

NodePtr Call::PassOn(const NodePtr& value, bool final) {
  Node node;
  node.kind = value->kind;
  node.boolean = value->boolean;
  node.text = value->text;
  node.elements = value->elements;
  for (const Node::Member& member : value->members) {
    if (!member.inherited) node.members.push_back(member);
  }
  node.definition = &cell_;
  node.schema = SchemaOf(*value);
  node.final = final;
  node.unknown = value->contains_unknown;
  node.secret = value->contains_secret;
  budget().Spend(sizeof(Node) + 64 * (node.members.size() + node.elements.size()));
  return Seal(std::move(node));
}

NodePtr Call::Fail(std::string why) {
  scope_.Fail(expression(), std::move(why));
  return Unknown();
}

}  // namespace escagent::eval
