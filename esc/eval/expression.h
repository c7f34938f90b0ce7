#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "esc/eval/interpolation.h"
#include "esc/eval/source.h"
#include "esc/eval/syntax.h"

namespace escagent::eval {

struct Builtin;

// A parsed expression of a definition. Nesting is bounded by kMaxNesting.
struct Expression {
  struct Member;
  enum class Kind {
    kNull,
    kBool,
    kNumber,
    kString,         // without references, "$$" already replaced
    kInterpolation,  // text with references: a string
    kSymbol,         // one reference and nothing else: a value of any kind
    kArray,
    kObject,
    kCall,     // of `builtin` with elements[0]
    kInvalid,  // had an error of its own, which was reported
  };

  Kind kind = Kind::kNull;
  SourceRange range;
  std::string path;  // in the document: "values.app[0]"
  bool boolean = false;
  std::string text;                      // of numbers and strings
  std::vector<InterpolationPart> parts;  // of interpolations and symbols
  std::vector<Expression> elements;      // of arrays; the argument of a call
  std::vector<Member> members;           // of objects; sorted by key, unique
  const Builtin* builtin = nullptr;      // of calls

  // The path of the value, as references spell it: "app[0]".
  std::string_view PropertyPath() const;
};

struct Expression::Member {
  std::string key;
  Expression value;
};

// Puts the members into the order that FindMember needs. Evaluation follows it too, so that
// findings do not depend on the order of the text.
void SortMembers(Expression& object);

// The index of a member, or kNoMember.
std::size_t FindMember(const Expression& object, std::string_view key);
inline constexpr std::size_t kNoMember = static_cast<std::size_t>(-1);

// Parses the expression in a node. An object whose only key begins with "fn::" is a call.
Expression ParseExpression(const SyntaxNode& node, Diagnostics& diagnostics);

}  // namespace escagent::eval
