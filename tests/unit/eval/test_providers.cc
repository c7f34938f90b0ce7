#include "tests/unit/eval/test_providers.h"

#include <utility>

namespace escagent::eval {
namespace {

using esc::Value;

using Properties = std::map<std::string, SchemaPtr, std::less<>>;

// A schema of `type` that `fill` completes.
template <class Fill>
SchemaPtr Make(const char* type, Fill fill) {
  Schema schema;
  schema.type = type;
  fill(schema);
  return std::make_shared<const Schema>(std::move(schema));
}

NodePtr Constant(Value value) { return FromValue(value, /*secret=*/false, nullptr); }
NodePtr TextConstant(const char* text) {
  return Constant(Value::String(Secret(std::string_view(text))));
}
Value NumberValue(const char* text) { return Value::Number(Secret(std::string_view(text))); }

SchemaPtr ConstantSchema(const char* type, Value value) {
  return Make(type, [&](Schema& s) { s.constant = Constant(std::move(value)); });
}
SchemaPtr TextSchema(const char* text) {
  return ConstantSchema("string", Value::String(Secret(std::string_view(text))));
}

void AddSimpleProperties(Properties& p) {
  p["null"] = TypeSchema("null");
  p["boolean"] = TypeSchema("boolean");
  p["false"] = ConstantSchema("boolean", Value::Bool(false));
  p["true"] = ConstantSchema("boolean", Value::Bool(true));
  p["number"] = TypeSchema("number");
  p["pi"] = ConstantSchema("number", NumberValue("3.14"));
  p["string"] = TypeSchema("string");
  p["hello"] = TextSchema("hello");
  p["array"] = ArraySchema(AlwaysSchema());
  p["tuple"] = TupleSchema({TextSchema("hello"), TextSchema("world")});
  p["map"] = Make("object", [](Schema& s) { s.additional_properties = AlwaysSchema(); });
  p["record"] = RecordSchema({{"foo", TypeSchema("string")}});
  p["anyOf"] = Make("", [](Schema& s) { s.any_of = {TypeSchema("string"), TypeSchema("number")}; });
  p["oneOf"] = OneOfSchema({TypeSchema("string"), TypeSchema("number")});
  p["ref"] = Make("", [](Schema& s) { s.ref = "#/$defs/defRecord"; });
  p["never"] = NeverSchema();
  p["always"] = AlwaysSchema();
  p["double"] = TupleSchema({TypeSchema("string"), TypeSchema("number")});
  p["triple"] = TupleSchema({TypeSchema("string"), TypeSchema("number"), TypeSchema("boolean")});
}

void AddBoundedProperties(Properties& p) {
  Value::Array list;
  list.push_back(Value::String(Secret(std::string_view("hello"))));
  list.push_back(NumberValue("42"));
  p["const-array"] = ConstantSchema("array", Value::MakeArray(std::move(list)));
  Value::Object object;
  object.emplace_back("hello", Value::String(Secret(std::string_view("world"))));
  p["const-object"] = ConstantSchema("object", Value::MakeObject(std::move(object)));
  p["enum"] =
      Make("string", [](Schema& s) { s.enumeration = {TextConstant("foo"), TextConstant("bar")}; });
  p["dependentReq"] = Make("object", [](Schema& s) {
    s.properties = {{"foo", TypeSchema("string")}, {"bar", TypeSchema("number")}};
    s.dependent_required = {{"foo", {"bar"}}};
  });
  p["multiple"] = Make("number", [](Schema& s) { s.multiple_of = "2"; });
  p["minimum"] = Make("number", [](Schema& s) { s.minimum = "1"; });
  p["exclusiveMinimum"] = Make("number", [](Schema& s) { s.exclusive_minimum = "1"; });
  p["maximum"] = Make("number", [](Schema& s) { s.maximum = "1"; });
  p["exclusiveMaximum"] = Make("number", [](Schema& s) { s.exclusive_maximum = "1"; });
  p["minLength"] = Make("string", [](Schema& s) { s.min_length = "1"; });
  p["maxLength"] = Make("string", [](Schema& s) { s.max_length = "1"; });
  p["pattern"] = Make("string", [](Schema& s) { s.pattern = "^foo[0-9]+$"; });
  p["minItems"] = Make("array", [](Schema& s) { s.min_items = "3"; });
  p["maxItems"] = Make("array", [](Schema& s) { s.max_items = "2"; });
  p["minProperties"] = Make("object", [](Schema& s) { s.min_properties = "1"; });
  p["maxProperties"] = Make("object", [](Schema& s) { s.max_properties = "1"; });
}

SchemaPtr EveryKeyword() {
  return Make("object", [](Schema& s) {
    s.defs["defRecord"] = RecordSchema({{"baz", TextSchema("qux")}});
    AddSimpleProperties(s.properties);
    AddBoundedProperties(s.properties);
  });
}

class EchoProvider final : public Provider {
 public:
  EchoProvider(SchemaPtr schema, bool secret) : schema_(std::move(schema)), secret_(secret) {}
  SchemaPtr InputSchema() const override { return schema_; }
  SchemaPtr OutputSchema() const override { return schema_; }
  Result<Value> Open(const Value& inputs, const ProviderContext&) override {
    Value output = inputs.Clone();
    if (secret_) output.set_secret(true);
    return output;
  }

 private:
  const SchemaPtr schema_;
  const bool secret_;
};

class ErrorProvider final : public Provider {
 public:
  SchemaPtr InputSchema() const override { return RecordSchema({{"why", TypeSchema("string")}}); }
  SchemaPtr OutputSchema() const override { return AlwaysSchema(); }
  Result<Value> Open(const Value& inputs, const ProviderContext&) override {
    return FailedPrecondition(std::string(inputs.Find("why")->ScalarText()));
  }
};

Value MemberOrNull(const Value* object, std::string_view key) {
  const Value* member = object != nullptr ? object->Find(key) : nullptr;
  return member != nullptr ? member->Clone() : Value::Null();
}

class SwapRotator final : public Rotator {
 public:
  SchemaPtr InputSchema() const override { return AlwaysSchema(); }
  SchemaPtr StateSchema() const override {
    return RecordSchema({{"a", TypeSchema("string")}, {"b", TypeSchema("string")}});
  }
  SchemaPtr OutputSchema() const override { return StateSchema(); }
  Result<Value> Open(const Value&, const Value* state, const ProviderContext&) override {
    return state != nullptr ? state->Clone() : Value::MakeObject({});
  }
  Result<Value> Rotate(const Value&, const Value* state, const ProviderContext&) override {
    Value::Object next;
    next.emplace_back("a", MemberOrNull(state, "b"));
    next.emplace_back("b", MemberOrNull(state, "a"));
    return Value::MakeObject(std::move(next));
  }
};

class EchoRotator final : public Rotator {
 public:
  SchemaPtr InputSchema() const override {
    return Make("object", [](Schema& s) {
      s.properties["next"] = TypeSchema("string");
      s.required = {"next"};
      s.rotate_only = {"next"};
    });
  }
  SchemaPtr StateSchema() const override {
    return Make("object", [](Schema& s) {
      s.properties = {{"current", TypeSchema("string")}, {"previous", TypeSchema("string")}};
      s.required = {"current"};
    });
  }
  SchemaPtr OutputSchema() const override { return StateSchema(); }
  Result<Value> Open(const Value& inputs, const Value* state, const ProviderContext&) override {
    const Value* next = inputs.Find("next");
    if (next != nullptr && !next->unknown() && !next->Equals(MemberOrNull(state, "current"))) {
      return FailedPrecondition("oh no! inputs were evaluated outside of rotation");
    }
    return state != nullptr ? state->Clone() : Value::MakeObject({});
  }
  Result<Value> Rotate(const Value& inputs, const Value* state, const ProviderContext&) override {
    if (inputs.Find("next")->unknown()) {
      return FailedPrecondition("oh no! rotateOnly inputs were not evaluated during rotation");
    }
    Value::Object next;
    next.emplace_back("current", inputs.Find("next")->Clone());
    next.emplace_back("previous", MemberOrNull(state, "current"));
    return Value::MakeObject(std::move(next));
  }
};

ProviderRegistry MakeProviders() {
  ProviderRegistry registry;
  const Status added[] = {
      registry.AddProvider("test", std::make_shared<EchoProvider>(AlwaysSchema(), false)),
      registry.AddProvider("secret-wrapper", std::make_shared<EchoProvider>(AlwaysSchema(), true)),
      registry.AddProvider("schema", std::make_shared<EchoProvider>(EveryKeyword(), false)),
      registry.AddProvider("error", std::make_shared<ErrorProvider>()),
      registry.AddRotator("swap", std::make_shared<SwapRotator>()),
      registry.AddRotator("echo", std::make_shared<EchoRotator>())};
  for (const Status& status : added) {
    if (!status) std::abort();
  }
  return registry;
}

}  // namespace

const ProviderRegistry& TestProviders() {
  static const ProviderRegistry kProviders = MakeProviders();
  return kProviders;
}

Result<Secret> Rot128::Decrypt(std::string_view ciphertext) {
  std::string plaintext(ciphertext);
  for (char& c : plaintext) c = static_cast<char>(static_cast<unsigned char>(c) + 128U);
  return Secret(std::move(plaintext));
}

}  // namespace escagent::eval
