#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

namespace escagent::gotemplate {

struct List;
struct Map;

// A value while a template runs, with the Go type that it would have there: types decide what a
// function accepts, how a value compares and how it prints. Small and copied freely: texts, lists
// and maps belong to the rendering's Heap and live as long as it does.
class Value {
 public:
  enum class Kind {
    kNil,           // no value at all (Go's invalid reflect.Value)
    kNilInterface,  // a nil that was found in a list or a map
    kBool,
    kInt,
    kInt64,
    kUint8,  // a byte of a text
    kFloat64,
    kString,
    kList,
    kMap,
  };

  Value() = default;
  static Value NilInterface() { return Value(Kind::kNilInterface); }
  static Value Bool(bool value);
  static Value Int(std::int64_t value);
  static Value Int64(std::int64_t value);
  static Value Uint8(std::uint8_t value);
  static Value Float64(double value);
  static Value Text(std::string_view text);
  // A text that stands in the template itself: the only one that may appear in an error.
  static Value Literal(std::string_view text);
  static Value Of(List* list);
  static Value Of(Map* map);

  Kind kind() const { return kind_; }
  bool IsNil() const { return kind_ == Kind::kNil || kind_ == Kind::kNilInterface; }
  bool IsInteger() const {
    return kind_ == Kind::kInt || kind_ == Kind::kInt64 || kind_ == Kind::kUint8;
  }
  bool IsText() const { return kind_ == Kind::kString; }
  bool IsList() const { return kind_ == Kind::kList; }
  bool IsMap() const { return kind_ == Kind::kMap; }
  bool IsLiteral() const { return literal_; }

  // Only for the kinds concerned.
  bool boolean() const { return integer_ != 0; }
  std::int64_t integer() const { return integer_; }
  double number() const { return number_; }
  std::string_view text() const { return text_; }
  List& list() const { return *list_; }
  Map& map() const { return *map_; }

  // Go's truth of a value: not zero, not empty, not nil.
  bool Truth() const;
  // "map[string]interface {}", as %T prints it; "interface {}" for a nil of that type.
  std::string_view TypeName() const;
  // reflect.Kind: "map", "slice", "invalid".
  std::string_view KindName() const;

 private:
  explicit Value(Kind kind) : kind_(kind) {}

  Kind kind_ = Kind::kNil;
  bool literal_ = false;
  union {
    std::int64_t integer_ = 0;
    double number_;
    List* list_;
    Map* map_;
  };
  std::string_view text_;
};

// The static type of what a list or a map holds.
enum class Element { kAny, kString, kInt, kList };

// []interface{}, []string, []int or [][]interface{}. Does not change once a template can see it.
struct List {
  Element element = Element::kAny;
  std::vector<Value> items;

  // The item as Go's reflection hands it out: a nil keeps that it has a type.
  Value At(std::size_t index) const;
};

// map[string]interface{} or map[string]string, in the order of the keys, in which Go prints and
// ranges over it. Shared by all values that name it, and changed in place by set, unset and merge.
struct Map {
  Element element = Element::kAny;
  std::map<std::string_view, Value> items;
};

std::string_view TypeName(const List& list);
std::string_view TypeName(const Map& map);

}  // namespace escagent::gotemplate
