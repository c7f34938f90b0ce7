#include "esc/value_reader.h"

#include <cstring>
#include <utility>

#include "esc/property_path.h"
#include "esc/text_limit.h"

namespace escagent::esc {
namespace {

constexpr std::size_t kMaxPathShown = 200;
// nlohmann's id for a number beyond the range of a double.
constexpr int kNumberOutOfRange = 406;

}  // namespace

ValueReader::Expect ValueReader::Expected() const {
  if (!stack_.empty()) return stack_.back().expect;
  return document_ == Document::kNode ? Expect::kNode : Expect::kEnvironment;
}

bool ValueReader::null() { return !IsWanted() || OnScalar(Value::Null()); }

bool ValueReader::boolean(bool value) { return !IsWanted() || OnScalar(Value::Bool(value)); }

bool ValueReader::number_integer(number_integer_t value) {
  // Only numbers with a minus sign come here, so that a zero is "-0".
  return !IsWanted() ||
         OnScalar(Value::Number(Secret(value == 0 ? std::string("-0") : std::to_string(value))));
}

bool ValueReader::number_unsigned(number_unsigned_t value) {
  return !IsWanted() || OnScalar(Value::Number(Secret(std::to_string(value))));
}

bool ValueReader::number_float(number_float_t /*value*/, const string_t& text) {
  return !IsWanted() || OnScalar(Value::Number(Secret(std::string_view(text))));
}

bool ValueReader::string(string_t& text) {
  const bool ok = !IsWanted() || OnScalar(Value::String(Secret(std::string_view(text))));
  // The parser uses this buffer again; what is in it now must not stay there.
  explicit_bzero(text.data(), text.size());
  return ok;
}

bool ValueReader::binary(binary_t& /*bytes*/) { return Fault("not JSON"); }

bool ValueReader::OnScalar(Value value) {
  const bool is_null = value.kind() == Value::Kind::kNull;
  switch (Expected()) {
    case Expect::kNode:
      return is_null ? DeliverNode(Value::Null()) : Fault("expected an object");
    case Expect::kContent:
      stack_.back().value = std::move(value);
      return true;
    case Expect::kSecretFlag:
      return SetFlag(stack_.back().secret, value);
    case Expect::kUnknownFlag:
      return SetFlag(stack_.back().unknown, value);
    case Expect::kProperties:
      stack_.back().value = Value::MakeObject({});
      return is_null || Fault("expected \"properties\" to be an object");
    case Expect::kEnvironment:
      return Fault("expected an object");
    case Expect::kSkip:
      return true;
  }
  return true;
}

bool ValueReader::SetFlag(bool& flag, const Value& value) {
  flag = value.AsBool();
  return value.kind() == Value::Kind::kBool || value.kind() == Value::Kind::kNull ||
         Fault("expected \"secret\" and \"unknown\" to be booleans");
}

void ValueReader::Push(Frame::Kind kind, Expect expect) {
  Frame frame;
  frame.kind = kind;
  frame.expect = expect;
  stack_.push_back(std::move(frame));
}

bool ValueReader::start_object(std::size_t /*size*/) {
  if (!IsWanted()) {
    ++skip_depth_;
    return true;
  }
  switch (Expected()) {
    case Expect::kNode:
      Push(Frame::Kind::kNode, Expect::kSkip);
      return true;
    case Expect::kContent:
    case Expect::kProperties:
      Push(Frame::Kind::kMembers, Expect::kNode);
      return true;
    case Expect::kEnvironment:
      Push(Frame::Kind::kEnvironment, Expect::kSkip);
      return true;
    case Expect::kSecretFlag:
    case Expect::kUnknownFlag:
    case Expect::kSkip:
      break;
  }
  return Fault("expected \"secret\" and \"unknown\" to be booleans");
}

bool ValueReader::start_array(std::size_t /*size*/) {
  if (!IsWanted()) {
    ++skip_depth_;
    return true;
  }
  if (Expected() != Expect::kContent) return Fault("did not expect an array");
  Push(Frame::Kind::kArray, Expect::kNode);
  return true;
}

bool ValueReader::key(string_t& name) {
  if (skip_depth_ > 0) return true;
  Frame& frame = stack_.back();
  switch (frame.kind) {
    case Frame::Kind::kMembers:
      frame.key = name;
      return true;
    case Frame::Kind::kEnvironment:
      return OnEnvironmentKey(frame, name);
    case Frame::Kind::kNode:
      frame.expect = name == "value"     ? Expect::kContent
                     : name == "secret"  ? Expect::kSecretFlag
                     : name == "unknown" ? Expect::kUnknownFlag
                                         : Expect::kSkip;
      return true;
    case Frame::Kind::kArray:
      break;
  }
  return Fault("did not expect a key");
}

bool ValueReader::OnEnvironmentKey(Frame& frame, std::string_view name) {
  const bool is_properties = name == "properties";
  if (is_properties || name == "exprs" || name == "schema" || name == "executionContext") {
    frame.has_known_member = true;
  } else {
    frame.has_unknown_member = true;
  }
  frame.expect = is_properties ? Expect::kProperties : Expect::kSkip;
  return true;
}

bool ValueReader::end_object() {
  if (skip_depth_ > 0) {
    --skip_depth_;
    return true;
  }
  Frame frame = std::move(stack_.back());
  stack_.pop_back();
  if (frame.kind == Frame::Kind::kEnvironment) return EndEnvironment(std::move(frame));
  if (frame.kind == Frame::Kind::kMembers) {
    stack_.back().value = Value::MakeObject(std::move(frame.members));
    return true;
  }
  frame.value.set_unknown(frame.unknown);
  if (frame.secret) frame.value.MarkSecret();
  return DeliverNode(std::move(frame.value));
}

bool ValueReader::end_array() {
  if (skip_depth_ > 0) {
    --skip_depth_;
    return true;
  }
  Frame frame = std::move(stack_.back());
  stack_.pop_back();
  stack_.back().value = Value::MakeArray(std::move(frame.elements));
  return true;
}

bool ValueReader::DeliverNode(Value value) {
  if (++values_ > max_values_) return Fault("more than " + std::to_string(max_values_) + " values");
  if (stack_.empty()) {
    result_ = std::move(value);
    return true;
  }
  Frame& parent = stack_.back();
  if (parent.kind == Frame::Kind::kArray) {
    parent.elements.push_back(std::move(value));
  } else {
    parent.members.emplace_back(*std::move(parent.key), std::move(value));
    parent.key.reset();
  }
  return true;
}

bool ValueReader::EndEnvironment(Frame frame) {
  if (frame.has_unknown_member && !frame.has_known_member) {
    return Fault("it has none of an environment's members");
  }
  // Go leaves an empty "properties" out.
  result_ =
      frame.value.kind() == Value::Kind::kObject ? std::move(frame.value) : Value::MakeObject({});
  return true;
}

bool ValueReader::parse_error(std::size_t position, const std::string& /*last_token*/,
                              const nlohmann::detail::exception& error) {
  // error.what() and the last token quote the text, which may be a value.
  fault_ = error.id == kNumberOutOfRange
               ? "a number is out of range" + Path()
               : "invalid JSON at byte " + std::to_string(position) + Path();
  return false;
}

bool ValueReader::Fault(std::string_view cause) {
  fault_ = std::string(cause) + Path();
  return false;
}

std::string ValueReader::Path() const {
  PropertyPath path;
  for (const Frame& frame : stack_) {
    if (frame.kind == Frame::Kind::kArray) path.Append(frame.elements.size());
    if (frame.key) path.Append(*frame.key);
  }
  return path.IsRoot() ? "" : " (at " + LimitText(path.ToString(), kMaxPathShown) + ")";
}

}  // namespace escagent::esc
