#include "agent/mirror/plain_json.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "esc/value_json.h"

namespace escagent::mirror {
namespace {

using esc::Value;

// Builds the value from the parser's events.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Value TakeResult() { return std::move(result_); }

  bool null() override { return Add(Value::Null()); }
  bool boolean(bool value) override { return Add(Value::Bool(value)); }
  // Only numbers with a minus sign come here, so that a zero is "-0".
  bool number_integer(number_integer_t value) override {
    return AddNumber(value == 0 ? "-0" : std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return AddNumber(std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override { return AddNumber(text); }
  bool string(string_t& text) override { return Add(Value::String(Secret(std::move(text)))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Push(true); }
  bool key(string_t& name) override {
    stack_.back().key = std::move(name);
    return true;
  }
  bool end_object() override {
    Frame frame = Pop();
    return Add(Value::MakeObject(std::move(frame.members)));
  }
  bool start_array(std::size_t) override { return Push(false); }
  bool end_array() override {
    Frame frame = Pop();
    return Add(Value::MakeArray(std::move(frame.elements)));
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  struct Frame {
    bool is_object = false;
    std::string key;
    Value::Object members;
    Value::Array elements;
  };

  bool Push(bool is_object) {
    stack_.push_back({.is_object = is_object, .key = {}, .members = {}, .elements = {}});
    return true;
  }

  Frame Pop() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    return frame;
  }

  bool AddNumber(std::string text) { return Add(Value::Number(Secret(std::move(text)))); }

  bool Add(Value value) {
    if (++count_ > esc::kMaxValues) return false;
    if (stack_.empty()) {
      result_ = std::move(value);
    } else if (stack_.back().is_object) {
      stack_.back().members.emplace_back(std::move(stack_.back().key), std::move(value));
    } else {
      stack_.back().elements.push_back(std::move(value));
    }
    return true;
  }

  std::vector<Frame> stack_;
  Value result_;
  std::size_t count_ = 0;
};

}  // namespace

Result<Value> ParsePlainJson(std::string_view text, std::string_view what) {
  Builder builder;
  ESC_RETURN_IF_ERROR(ParseJsonSax(text, what, builder));
  return builder.TakeResult();
}

}  // namespace escagent::mirror
