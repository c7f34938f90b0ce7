#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "esc/eval/source.h"
#include "esc/value.h"

namespace escagent::eval {

struct Cell;
struct Evaluation;
struct Node;
struct Schema;
// Evaluated values are immutable and shared: a reference to a value costs one pointer.
using NodePtr = std::shared_ptr<const Node>;

// An evaluated value, already merged with what it overrides.
struct Node {
  // A member of an object. `inherited`: it came from the base and was not overridden.
  struct Member {
    std::string key;
    NodePtr node;
    bool inherited = false;
  };

  esc::Value::Kind kind = esc::Value::Kind::kNull;
  bool boolean = false;
  bool secret = false;
  // Not known: an error, or check mode. It may have a kind all the same.
  bool unknown = false;
  bool rotate_only = false;            // unknown because only rotation evaluates it
  bool final = false;                  // what imports this cannot override it
  std::shared_ptr<const Secret> text;  // of strings and numbers, never null there
  std::vector<NodePtr> elements;
  std::vector<Member> members;  // with those of the base; sorted by key
  // The expression that made it. Lives as long as the Evaluation.
  const Cell* definition = nullptr;
  NodePtr base;  // what it overrides; may be null
  // Without the base's. Null: follows from the value (SchemaOf() in schema.h).
  std::shared_ptr<const Schema> schema;

  // Of the whole tree, set by Seal().
  bool contains_secret = false;
  bool contains_unknown = false;
  std::size_t weight = 0;  // bytes, counting what is shared each time; saturates
  std::size_t depth = 0;
  std::size_t overrides = 0;  // at least the number of values that lie below any of them

  std::string_view Text() const { return text ? text->Reveal() : std::string_view(); }
  // The member with this key, or null.
  const Member* FindMember(std::string_view key) const;
  // Whether it is an object or, being unknown, may be one.
  bool MayBeObject() const;
};

// What one evaluation may use up in all, in bytes (roughly). A few references can stand for
// a very large value, so the text of the definition is no bound.
class Budget {
 public:
  explicit Budget(std::size_t limit) : left_(limit) {}
  void Spend(std::size_t bytes) { left_ -= bytes < left_ ? bytes : left_; }
  bool IsSpent() const { return left_ == 0; }

 private:
  std::size_t left_;
};

// Makes the node immutable: sorts and inherits members of the base, and sets the sums over the
// tree.
NodePtr Seal(Node node);

NodePtr MakeUnknown(const Cell* definition, std::shared_ptr<const Schema> schema);
NodePtr MakeString(Secret text, bool secret, const Cell* definition);
NodePtr MakeObject(std::vector<Node::Member> members, const Cell* definition);

// What lies at `key` of something that may be overridden there; null when nothing does. Of an
// unknown value it is unknown too; `at` is the place that asks. `below` may be null.
NodePtr MemberOf(const NodePtr& below, std::string_view key, const SourceRange& at,
                 Evaluation& evaluation);

// `top` over `base`: objects member by member, anything else as a whole (a null too). `base` may be
// null: nothing lies below. Gives `top` unmerged when the budget is spent.
NodePtr Merge(const NodePtr& top, const NodePtr& base, Evaluation& evaluation);

// The same value, made by another expression.
NodePtr WithDefinition(const NodePtr& node, const Cell* definition, Evaluation& evaluation);

// A value from outside, made by one expression. `secret` marks all of it.
NodePtr FromValue(const esc::Value& value, bool secret, const Cell* definition);

// What the API and the agent work with. Unknown values are null with the flag set.
esc::Value ToValue(const Node& node);

// The value as ESC writes it into a string: scalars as they are, null as nothing, arrays as
// "a","b", objects as "k"="v" with sorted keys and without the inherited ones (so does ESC).
struct NodeText {
  Secret text;
  bool secret = false;
  bool unknown = false;  // then the text is of no use
};
// Nothing when the result is longer than `limit`.
std::optional<NodeText> ToText(const Node& node, std::size_t limit);

}  // namespace escagent::eval
