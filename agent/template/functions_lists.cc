#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "agent/template/cast.h"
#include "agent/template/deep.h"
#include "agent/template/function.h"

// sprig's functions on lists. None changes a list; all but slice return []interface{}.
namespace escagent::gotemplate {
namespace {

// The items of the list that `value` must be; `verb` is for the error.
Result<const std::vector<Value>*> Items(const Value& value, std::string_view verb) {
  if (value.IsList()) return &value.list().items;
  return InvalidArgument("Cannot " + std::string(verb) + " on type " +
                         std::string(value.KindName()));
}

Value MakeList(Call& call, std::span<const Value> items) {
  List& list = call.heap.NewList();
  for (const Value& item : items) call.heap.Push(list, item);
  return Value::Of(&list);
}

bool Has(std::span<const Value> items, const Value& wanted, Heap& heap) {
  return std::ranges::any_of(items,
                             [&](const Value& item) { return DeepEqual(wanted, item, heap); });
}

Result<Value> MakeListOfArguments(Call& call) { return MakeList(call, call.args); }

Result<Value> Append(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "push"));
  const Value list = MakeList(call, *items);
  call.heap.Push(list.list(), call[1]);
  return list;
}

Result<Value> Prepend(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "prepend"));
  const Value list = MakeList(call, call.args.subspan(1));
  for (const Value& item : *items) call.heap.Push(list.list(), item);
  return list;
}

Result<Value> First(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "find first"));
  return items->empty() ? Value() : items->front();
}

Result<Value> Last(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "find last"));
  return items->empty() ? Value() : items->back();
}

Result<Value> Rest(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "find rest"));
  return MakeList(call, std::span(*items).subspan(items->empty() ? 0 : 1));
}

Result<Value> Initial(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "find initial"));
  return MakeList(call, std::span(*items).first(items->empty() ? 0 : items->size() - 1));
}

Result<Value> Reverse(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "find reverse"));
  const Value list = MakeList(call, *items);
  std::ranges::reverse(list.list().items);
  return list;
}

Result<Value> Compact(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "compact"));
  List& list = call.heap.NewList();
  for (const Value& item : *items) {
    if (item.Truth()) call.heap.Push(list, item);
  }
  return Value::Of(&list);
}

Result<Value> Unique(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "find uniq"));
  List& list = call.heap.NewList();
  for (const Value& item : *items) {
    if (!Has(list.items, item, call.heap)) call.heap.Push(list, item);
  }
  return Value::Of(&list);
}

Result<Value> Without(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[0], "find without"));
  List& list = call.heap.NewList();
  for (const Value& item : *items) {
    if (!Has(call.args.subspan(1), item, call.heap)) call.heap.Push(list, item);
  }
  return Value::Of(&list);
}

Result<Value> HasItem(Call& call) {
  if (call[1].IsNil()) return Value::Bool(false);
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[1], "find has"));
  return Value::Bool(Has(*items, call[0], call.heap));
}

Result<Value> Slice(Call& call) {
  if (!call[0].IsList()) {
    return InvalidArgument("list should be type of slice or array but " +
                           std::string(call[0].KindName()));
  }
  const List& list = call[0].list();
  const auto size = static_cast<std::int64_t>(list.items.size());
  if (size == 0) return Value();
  const std::int64_t start = call.Size() > 1 ? CastToInteger(call[1]) : 0;
  const std::int64_t end = call.Size() > 2 ? CastToInteger(call[2]) : size;
  if (start < 0 || start > end || end > size) {
    return InvalidArgument("reflect.Value.Slice: slice index out of bounds");
  }
  List& part = call.heap.NewList(list.element);
  for (std::int64_t i = start; i < end; ++i) {
    call.heap.Push(part, list.items[static_cast<std::size_t>(i)]);
  }
  return Value::Of(&part);
}

Result<Value> Concat(Call& call) {
  List& all = call.heap.NewList();
  for (const Value& list : call.args) {
    if (!list.IsList()) {
      return InvalidArgument("Cannot concat type " + std::string(list.KindName()) + " as list");
    }
    for (const Value& item : list.list().items) call.heap.Push(all, item);
  }
  return Value::Of(&all);
}

Result<Value> Chunk(Call& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<Value>* items, Items(call[1], "chunk"));
  if (call.Integer(0) < 1) return InvalidArgument("the size of a chunk must be positive");
  const auto size = static_cast<std::size_t>(call.Integer(0));
  List& chunks = call.heap.NewList(Element::kList);
  for (std::size_t at = 0; at < items->size(); at += std::min(size, items->size() - at)) {
    const std::size_t count = std::min(size, items->size() - at);
    call.heap.Push(chunks, MakeList(call, std::span(*items).subspan(at, count)));
  }
  return Value::Of(&chunks);
}

constexpr Function kListFunctions[] = {
    {"append", "aa", Append},
    {"chunk", "ia", Chunk},
    {"compact", "a", Compact},
    {"concat", "a*", Concat},
    {"first", "a", First},
    {"has", "aa", HasItem},
    {"initial", "a", Initial},
    {"last", "a", Last},
    {"list", "a*", MakeListOfArguments},
    {"mustAppend", "aa", Append},
    {"mustChunk", "ia", Chunk},
    {"mustCompact", "a", Compact},
    {"mustFirst", "a", First},
    {"mustHas", "aa", HasItem},
    {"mustInitial", "a", Initial},
    {"mustLast", "a", Last},
    {"mustPrepend", "aa", Prepend},
    {"mustPush", "aa", Append},
    {"mustRest", "a", Rest},
    {"mustReverse", "a", Reverse},
    {"mustSlice", "aa*", Slice},
    {"mustUniq", "a", Unique},
    {"mustWithout", "aa*", Without},
    {"prepend", "aa", Prepend},
    {"push", "aa", Append},
    {"rest", "a", Rest},
    {"reverse", "a", Reverse},
    {"slice", "aa*", Slice},
    {"tuple", "a*", MakeListOfArguments},
    {"uniq", "a", Unique},
    {"without", "aa*", Without},
};

}  // namespace

std::span<const Function> ListFunctions() { return kListFunctions; }

}  // namespace escagent::gotemplate
