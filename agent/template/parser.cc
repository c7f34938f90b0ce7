#include "agent/template/parser.h"

#include <string>
#include <utility>

#include "agent/template/lexer.h"
#include "agent/template/quote.h"
#include "agent/template/tree_parser.h"

namespace escagent::gotemplate {
namespace {

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\n\v\f\r") == std::string_view::npos;
}

}  // namespace

bool IsEmptyBlock(const Block& block) {
  for (const Statement& statement : block) {
    if (statement.kind != Statement::Kind::kText || !IsBlank(statement.text)) return false;
  }
  return true;
}

Result<Templates> Parse(std::string_view name, std::string_view text, const Limits& limits) {
  Lexer lexer(text);
  Templates templates;
  TreeParser parser(name, lexer, templates, limits);
  ESC_RETURN_IF_ERROR(parser.ParseMain());
  return templates;
}

}  // namespace escagent::gotemplate
