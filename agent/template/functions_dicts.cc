#include <algorithm>
#include <string>
#include <string_view>

#include "agent/template/deep.h"
#include "agent/template/function.h"

// sprig's functions on dicts (map[string]interface{}). set, unset and the merges change the dict
// that they are given. keys and values are in the order of the keys: sprig's random order would
// change the Secret with every sync.
namespace escagent::gotemplate {
namespace {

Result<Value> MakeDict(Call& call) {
  Map& dict = call.heap.NewMap();
  for (std::size_t i = 0; i < call.Size(); i += 2) {
    const std::string_view key =
        call[i].IsText() ? call.Text(i) : call.heap.Keep(ToText(call[i], call.heap));
    call.heap.Put(dict, key, i + 1 < call.Size() ? call[i + 1] : Value::Text(""));
  }
  return Value::Of(&dict);
}

Result<Value> Get(Call& call) {
  const auto& items = call.Dict(0).items;
  const auto found = items.find(call.Text(1));
  return found == items.end() ? Value::Text("") : found->second;
}

Result<Value> Set(Call& call) {
  if (call[0].IsNil()) return InvalidArgument("assignment to entry in nil map");
  call.heap.Put(call[0].map(), call.Text(1), call[2]);
  return call[0];
}

Result<Value> Unset(Call& call) {
  if (call[0].IsMap()) call[0].map().items.erase(call.Text(1));
  return call[0];
}

Result<Value> HasKey(Call& call) { return Value::Bool(call.Dict(0).items.contains(call.Text(1))); }

Result<Value> Pluck(Call& call) {
  List& list = call.heap.NewList();
  for (std::size_t i = 1; i < call.Size(); ++i) {
    const auto& items = call.Dict(i).items;
    const auto found = items.find(call.Text(0));
    if (found != items.end()) call.heap.Push(list, found->second);
  }
  return Value::Of(&list);
}

Result<Value> Keys(Call& call) {
  List& list = call.heap.NewList(Element::kString);
  for (std::size_t i = 0; i < call.Size(); ++i) {
    for (const auto& item : call.Dict(i).items) call.heap.Push(list, Value::Text(item.first));
  }
  return Value::Of(&list);
}

Result<Value> Values(Call& call) {
  List& list = call.heap.NewList();
  for (const auto& item : call.Dict(0).items) call.heap.Push(list, item.second);
  return Value::Of(&list);
}

// The dict with those keys only that are, or are not, among the arguments.
Value Select(Call& call, bool listed) {
  Map& dict = call.heap.NewMap();
  for (const auto& [key, value] : call.Dict(0).items) {
    call.heap.Spend(call.Size());
    const bool found = std::ranges::any_of(
        call.args.subspan(1), [&](const Value& wanted) { return wanted.text() == key; });
    if (found == listed) call.heap.Put(dict, key, value);
  }
  return Value::Of(&dict);
}

Result<Value> Pick(Call& call) { return Select(call, true); }
Result<Value> Omit(Call& call) { return Select(call, false); }

bool IsDict(const Value& value) { return value.IsMap() && value.map().element == Element::kAny; }

// Dicts in both are merged; else what `into` has stays, unless it is empty or `overwrite` is set.
void MergeInto(Map& into, const Map& from, bool overwrite, Heap& heap, std::size_t depth) {
  if (!Visit(depth, heap) || &into == &from) return;
  for (const auto& [key, value] : from.items) {
    const auto found = into.items.find(key);
    if (found == into.items.end()) {
      heap.Put(into, key, value);
    } else if (IsDict(found->second) && IsDict(value)) {
      MergeInto(found->second.map(), value.map(), overwrite, heap, depth + 1);
    } else if (overwrite || !found->second.Truth()) {
      found->second = value;
    }
  }
}

Result<Value> MergeAll(Call& call, bool overwrite) {
  const Value into = call[0].IsNil() ? Value::Of(&call.heap.NewMap()) : call[0];
  for (std::size_t i = 1; i < call.Size(); ++i) {
    MergeInto(into.map(), call.Dict(i), overwrite, call.heap, 0);
  }
  return into;
}

Result<Value> Merge(Call& call) { return MergeAll(call, false); }
Result<Value> MergeOverwrite(Call& call) { return MergeAll(call, true); }

// dig "a" "b" DEFAULT DICT: what a path of keys leads to.
Result<Value> Dig(Call& call) {
  if (call.Size() < 3) return InvalidArgument("dig needs at least three arguments");
  Value at = call.args.back();
  for (const Value& key : call.args.first(call.Size() - 2)) {
    if (!IsDict(at)) {
      return InvalidArgument("dig looks into a value of type " + std::string(at.TypeName()) +
                             ", which is no map[string]interface {}");
    }
    if (!key.IsText()) {
      return InvalidArgument("a key of dig is " + std::string(key.TypeName()) + ", not string");
    }
    const auto found = at.map().items.find(key.text());
    if (found == at.map().items.end()) return call[call.Size() - 2];
    at = found->second;
  }
  return at;
}

constexpr Function kDictFunctions[] = {
    {"dict", "a*", MakeDict},
    {"dig", "a*", Dig},
    {"get", "ms", Get},
    {"hasKey", "ms", HasKey},
    {"keys", "m*", Keys},
    {"merge", "mm*", Merge},
    {"mergeOverwrite", "mm*", MergeOverwrite},
    {"mustMerge", "mm*", Merge},
    {"mustMergeOverwrite", "mm*", MergeOverwrite},
    {"omit", "ms*", Omit},
    {"pick", "ms*", Pick},
    {"pluck", "sm*", Pluck},
    {"set", "msa", Set},
    {"unset", "ms", Unset},
    {"values", "m", Values},
};

}  // namespace

std::span<const Function> DictFunctions() { return kDictFunctions; }

}  // namespace escagent::gotemplate
