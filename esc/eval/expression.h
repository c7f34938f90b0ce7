#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "esc/eval/interpolation.h"
#include "esc/eval/source.h"
#include "esc/eval/syntax.h"

namespace escagent::eval {

struct Builtin;

// A parsed expression of a definition. Nesting is bounded by kMaxNesting.
struct Expression {
  Expression();
  Expression(Expression&&) noexcept;
  Expression& operator=(Expression&&) noexcept;
  ~Expression();

  struct Member;
  struct RefusedKey;
  struct CallSyntax;
  enum class Kind {
    kNull,
    kBool,
    kNumber,
    kString,         // without references, "$$" already replaced
    kInterpolation,  // text with references: a string
    kSymbol,         // one reference and nothing else: a value of any kind
    kArray,
    kObject,
    kCall,     // of `builtin`, whose arguments the elements are
    kMissing,  // is not there, or could not be read, which was reported: unknown
  };

  Kind kind = Kind::kNull;
  SourceRange range;
  std::string path;  // in the document: "values.app[0]"
  bool boolean = false;
  std::string text;                      // of numbers and strings
  std::vector<InterpolationPart> parts;  // of interpolations and symbols
  std::vector<Expression> elements;      // of arrays; the arguments of a call
  std::vector<Member> members;           // of objects; sorted by key, unique
  std::vector<RefusedKey> repeated;      // of objects: keys that were there before
  std::unique_ptr<CallSyntax> call;      // of calls

  // The path of the value, as references spell it: "app[0]".
  std::string_view PropertyPath() const;
};

struct Expression::Member {
  std::string key;
  Expression value;
  SourceRange key_range;  // of the last one, if it is repeated
};

struct Expression::RefusedKey {
  std::string key;
  SourceRange range;
  std::string path;
};

// How a call was written.
struct Expression::CallSyntax {
  const Builtin* builtin = nullptr;
  std::string name;  // as written: fn::open::aws-login
  SourceRange name_range;
  SourceRange argument_range;
  // Of fn::open and fn::rotate: nothing when it is missing or not written out.
  std::optional<std::string> provider;
  bool short_form = false;  // the provider is part of the name
};

// Puts the members into the order that FindMember needs. Evaluation follows it too, so that
// findings do not depend on the order of the text.
void SortMembers(Expression& object);

// The index of a member, or kNoMember.
std::size_t FindMember(const Expression& object, std::string_view key);
inline constexpr std::size_t kNoMember = static_cast<std::size_t>(-1);

// Puts a member into an object that is not sorted yet, or what is wrong with its key.
void AddMember(Expression& object, std::string key, Expression value, const SyntaxNode& key_node,
               std::unordered_map<std::string, std::size_t>& seen);

// Parses the expression in a node. An object whose only key names a function is a call.
Expression ParseExpression(SyntaxNode node, Diagnostics& diagnostics);

}  // namespace escagent::eval
