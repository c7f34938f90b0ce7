#pragma once

#include <cstddef>

#include "agent/template/heap.h"
#include "agent/template/value.h"

namespace escagent::gotemplate {

// reflect.DeepEqual: the same types all through, and equal content.
bool DeepEqual(const Value& a, const Value& b, Heap& heap, std::size_t depth = 0);

// A copy that shares no list and no map with the value.
Value DeepCopy(const Value& value, Heap& heap, std::size_t depth = 0);

// Spends a step on a value `depth` levels down; false when the walk must end.
bool Visit(std::size_t depth, Heap& heap);

}  // namespace escagent::gotemplate
