#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/secret.h"

namespace escagent::esc {

// A value of an opened environment, as ESC's REST API describes it (openapi: esc.Value).
//
// Scalars keep their text in a Secret, numbers with their exact lexical text ("1.10", integers
// beyond 64 bits). Objects are sorted by key (bytewise, as Go sorts); keys are unique.
// Move-only; deeply immutable once published as shared_ptr<const Value>. Members are recursive:
// whoever builds a value bounds its depth (the wire reader and base/json.h to kMaxJsonDepth).
class Value {
 public:
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  using Array = std::vector<Value>;
  // Sorted and made unique by MakeObject().
  using Object = std::vector<std::pair<std::string, Value>>;

  Value() = default;  // null
  static Value Null() { return Value(); }
  static Value Bool(bool value);
  // `text` is a JSON number (RFC 8259 section 6); kept as it is.
  static Value Number(Secret text);
  static Value String(Secret text);
  static Value MakeArray(Array elements);
  // Sorts by key. Of equal keys the last one stays.
  static Value MakeObject(Object members);

  Value(Value&&) noexcept = default;
  Value& operator=(Value&&) noexcept = default;
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;

  Kind kind() const { return kind_; }
  bool IsScalar() const { return kind_ != Kind::kArray && kind_ != Kind::kObject; }

  // The text of a scalar: "" for null, "true"/"false", the number's text, the string.
  std::string_view ScalarText() const;
  bool AsBool() const { return bool_; }
  // The bytes behind a string or a number, for sharing without a copy (aliasing shared_ptr to the
  // snapshot). Empty for every other kind.
  const Secret& text() const { return text_; }
  const Array& elements() const { return array_; }
  const Object& members() const { return object_; }
  // The member of an object, or null when absent or when this is no object.
  const Value* Find(std::string_view key) const;

  // Marked secret by ESC: this value and all below it.
  bool secret() const { return secret_; }
  // Not known when the environment was evaluated (check mode, a provider that failed). Never shown.
  bool unknown() const { return unknown_; }
  // This value only; MarkSecret() for all below it too.
  void set_secret(bool secret) { secret_ = secret; }
  void MarkSecret();
  void set_unknown(bool unknown) { unknown_ = unknown; }

  Value Clone() const;

  // Same kind, text, members and flags; in constant time for each scalar.
  bool Equals(const Value& other) const;
  // Whether this value or any below it is unknown.
  bool ContainsUnknown() const;

 private:
  Kind kind_ = Kind::kNull;
  bool bool_ = false;
  bool secret_ = false;
  bool unknown_ = false;
  Secret text_;
  Array array_;
  Object object_;
};

}  // namespace escagent::esc
