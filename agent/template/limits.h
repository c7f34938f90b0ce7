#pragma once

#include <cstddef>

namespace escagent::gotemplate {

// What one rendering may use. A template is a tenant's input: it must end, and soon, whatever it
// says. Exceeding a limit is an error of that template.
struct Limits {
  std::size_t max_output = std::size_t{1} << 20;   // bytes; what Kubernetes allows a whole Secret
  std::size_t max_memory = std::size_t{16} << 20;  // bytes of all texts, lists and maps together
  std::size_t max_steps = 1'000'000;  // nodes evaluated, elements visited, and bytes by the dozen
  // Nesting of parentheses and of blocks in the source, and of lists and maps that are printed,
  // compared or converted.
  std::size_t max_depth = 100;
  // Evaluations inside each other: blocks, pipelines in parentheses and template calls together.
  std::size_t max_recursion = 400;
};

}  // namespace escagent::gotemplate
