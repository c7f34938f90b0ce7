#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A parsed template. The names are those of text/template/parse. Positions are bytes from the start
// of the template.
namespace escagent::gotemplate {

// A number may stand for several types; which one it becomes depends on where it is used.
struct Number {
  std::optional<std::int64_t> integer;
  std::optional<double> floating;
  bool is_float = false;  // when nothing asks for a type
};

struct Pipe;

// A term with the fields that follow it.
struct Operand {
  enum class Kind {
    kBool,
    kDot,
    kNil,
    kNumber,
    kString,
    kField,
    kVariable,
    kIdentifier,
    kChain,
    kPipe
  };
  Kind kind = Kind::kDot;
  std::size_t position = 0;
  std::string source;              // bool, number, string, identifier: as written
  std::string text;                // string: what it stands for
  std::vector<std::string> names;  // field, chain: the fields; variable: itself ($x), its fields
  Number number;
  std::unique_ptr<Operand> base;  // chain
  std::unique_ptr<Pipe> pipe;     // pipe

  bool IsLiteral() const { return kind <= Kind::kString; }
};

struct Command {
  std::size_t position = 0;
  std::vector<Operand> operands;
};

struct Pipe {
  std::size_t position = 0;
  bool assigns = false;  // = instead of :=
  std::vector<std::string> variables;
  std::vector<Command> commands;
};

struct Statement {
  enum class Kind { kText, kAction, kIf, kRange, kWith, kTemplate, kBreak, kContinue };
  Kind kind = Kind::kText;
  std::size_t position = 0;
  std::string text;            // text; template: its name
  std::unique_ptr<Pipe> pipe;  // template: may be null
  std::vector<Statement> body;
  std::vector<Statement> otherwise;
};
using Block = std::vector<Statement>;

// The main template (under the name it was given) and those of its define and block actions.
using Templates = std::map<std::string, Block, std::less<>>;

// The source text again, for the "at <...>" of an error.
std::string Describe(const Operand& operand);
std::string Describe(const Command& command);
std::string Describe(const Pipe& pipe);
std::string Describe(const Statement& statement);

}  // namespace escagent::gotemplate
