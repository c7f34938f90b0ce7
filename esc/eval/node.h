#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "esc/eval/source.h"
#include "esc/value.h"

namespace escagent::eval {

struct Node;
// Evaluated values are immutable and shared: a reference to a value costs one pointer.
using NodePtr = std::shared_ptr<const Node>;

// An evaluated value, already merged with what it overrides.
struct Node {
  // A member of an object. `inherited`: it came from an import below and was not overridden.
  struct Member {
    NodePtr node;
    bool inherited = false;
  };

  esc::Value::Kind kind = esc::Value::Kind::kNull;
  bool boolean = false;
  bool secret = false;
  bool unknown = false;  // its kind is kNull then
  // A lower import holds something else than an object at this place: nothing below it shows.
  bool sealed = false;
  // What lies below is unknown: members that are not here may exist.
  bool over_unknown = false;
  std::shared_ptr<const Secret> text;  // of strings and numbers, never null there
  std::vector<NodePtr> elements;
  std::map<std::string, Member, std::less<>> members;
  SourceRange definition;  // the expression that made it

  // Of the whole tree, set by Seal().
  bool contains_secret = false;
  bool contains_unknown = false;
  std::size_t weight = 0;  // bytes, counting what is shared each time; saturates
  std::size_t depth = 0;

  std::string_view Text() const { return text ? text->Reveal() : std::string_view(); }
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

// Makes the node immutable, with the sums over its tree set.
NodePtr Seal(Node node);

NodePtr MakeNull(const SourceRange& definition);
NodePtr MakeUnknown(bool secret, const SourceRange& definition);
NodePtr MakeString(Secret text, bool secret, const SourceRange& definition);

// The member `key` of what lies below an object; null when nothing does. `below` may be null.
NodePtr MemberOf(const NodePtr& below, std::string_view key);

// Puts what `base` has more into an object whose own members were merged with theirs.
void Inherit(Node& object, const NodePtr& base);

// `top` over `base`: objects member by member, anything else as a whole (a null too). `base` may be
// null: nothing lies below. Gives `top` unmerged when the budget is spent.
NodePtr Merge(const NodePtr& top, const NodePtr& base, Budget& budget);

// The same value, made by another expression.
NodePtr WithDefinition(const NodePtr& node, const SourceRange& definition, Budget& budget);

// What the API and the agent work with. Unknown values are null with the flag set.
esc::Value ToValue(const Node& node);

// The value as ESC writes it into a string: scalars as they are, null as nothing, arrays as
// "a","b", objects as "k"="v" with sorted keys and without the inherited ones (so does ESC).
// Nothing when the result is longer than `limit`.
std::optional<Secret> ToText(const Node& node, std::size_t limit);

}  // namespace escagent::eval
