#pragma once

#include <string>
#include <string_view>

#include "esc/eval/evaluation.h"
#include "esc/eval/schema.h"
#include "esc/eval/source.h"

namespace escagent::eval {

// The name of a kind in JSON Schema.
std::string_view TypeName(esc::Value::Kind kind);

// Whether one schema accepts everything that another one describes, for values that are not known
// yet. Lenient where that cannot be said: what may fit, fits.
class SchemaChecker {
 public:
  // Borrows both.
  SchemaChecker(Budget& budget, Diagnostics& diagnostics)
      : budget_(budget), diagnostics_(diagnostics) {}

  // Errors are put at `at`, or at the part of it that is at fault where it is written out.
  bool Check(const Schema& schema, const Schema& accept, const Cell& at);

 private:
  // The expression to blame, and the path from there to the value at fault.
  struct Place {
    const Cell* cell;
    std::string path;
    bool prefix = false;

    Place Index(std::size_t index) const;
    Place Property(const std::string& name) const;
  };

  bool CheckPtr(const SchemaPtr& schema, const SchemaPtr& accept, const Place& at);
  bool Check(const Schema& schema, const Schema& accept, const Place& at);
  // Whether any of the alternatives passes; what failed is only told when none does.
  template <class CheckOne>
  bool CheckAny(const std::vector<SchemaPtr>& alternatives, const Place& at, const CheckOne& check);
  bool CheckArray(const Schema& schema, const Schema& accept, const Place& at);
  bool CheckObject(const Schema& schema, const Schema& accept, const Place& at);
  bool Fail(const Place& at, std::string why);

  Budget& budget_;
  Diagnostics& diagnostics_;
  std::size_t depth_ = 0;
};

}  // namespace escagent::eval
