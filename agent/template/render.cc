#include "agent/template/render.h"

#include "agent/template/executor.h"
#include "agent/template/heap.h"
#include "agent/template/node.h"
#include "agent/template/parser.h"

namespace escagent::gotemplate {

Result<Secret> Render(std::string_view name, std::string_view text, const Fields& fields,
                      const Limits& limits) {
  ESC_ASSIGN_OR_RETURN(const Templates templates, Parse(name, text, limits));
  Heap heap(limits);
  Map& data = heap.NewMap(Element::kString);
  for (const auto& [key, value] : fields) data.items.emplace(key, Value::Text(value));
  return Executor(name, text, templates, heap).Run(Value::Of(&data));
}

}  // namespace escagent::gotemplate
