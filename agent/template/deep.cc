#include "agent/template/deep.h"

#include <algorithm>

namespace escagent::gotemplate {
namespace {

bool EqualLists(const List& a, const List& b, Heap& heap, std::size_t depth) {
  if (a.element != b.element) return false;
  return std::ranges::equal(a.items, b.items, [&](const Value& x, const Value& y) {
    return DeepEqual(x, y, heap, depth + 1);
  });
}

bool EqualMaps(const Map& a, const Map& b, Heap& heap, std::size_t depth) {
  if (a.element != b.element) return false;
  return std::ranges::equal(a.items, b.items, [&](const auto& x, const auto& y) {
    return x.first == y.first && DeepEqual(x.second, y.second, heap, depth + 1);
  });
}

}  // namespace

bool Visit(std::size_t depth, Heap& heap) {
  if (depth > heap.limits().max_depth) {
    heap.Exhaust("works on a value that is nested too deep, or contains itself");
  }
  return heap.Spend(1);
}

bool DeepEqual(const Value& a, const Value& b, Heap& heap, std::size_t depth) {
  if (!Visit(depth, heap)) return false;
  if (a.IsNil() || b.IsNil()) return a.IsNil() && b.IsNil();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::kFloat64:
      return a.number() == b.number();
    case Value::Kind::kString:
      return a.text() == b.text();
    case Value::Kind::kList:
      return EqualLists(a.list(), b.list(), heap, depth);
    case Value::Kind::kMap:
      return EqualMaps(a.map(), b.map(), heap, depth);
    default:
      return a.integer() == b.integer();
  }
}

Value DeepCopy(const Value& value, Heap& heap, std::size_t depth) {
  if (!Visit(depth, heap)) return {};
  if (value.IsList()) {
    List& copy = heap.NewList(value.list().element);
    for (const Value& item : value.list().items) heap.Push(copy, DeepCopy(item, heap, depth + 1));
    return Value::Of(&copy);
  }
  if (value.IsMap()) {
    Map& copy = heap.NewMap(value.map().element);
    for (const auto& [key, item] : value.map().items) {
      heap.Put(copy, key, DeepCopy(item, heap, depth + 1));
    }
    return Value::Of(&copy);
  }
  return value;
}

}  // namespace escagent::gotemplate
