#include "esc/eval/password_rotator.h"

#include <sys/random.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace escagent::eval {
namespace {

using esc::Value;

constexpr std::size_t kMaxLength = 4096;

// One kind of characters, and how many of them there are at least.
struct CharacterClass {
  std::string_view characters;
  std::size_t minimum = 0;
};

SchemaPtr SecretString() {
  Schema schema;
  schema.type = "string";
  schema.secret = true;
  return std::make_shared<const Schema>(std::move(schema));
}

// An evenly distributed number below `limit`, which is not over 2^16.
Result<std::size_t> RandomBelow(std::size_t limit) {
  constexpr std::size_t kRange = std::size_t{1} << 32;
  while (true) {
    std::uint32_t number = 0;
    const ssize_t size = ::getrandom(&number, sizeof(number), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size != sizeof(number)) return ErrnoError(errno, "make a random password");
    // What is left over would make the first numbers more likely.
    if (number < kRange - kRange % limit) return number % limit;
  }
}

Result<std::size_t> NumberOf(const Value& inputs, const char* name, std::size_t fallback) {
  const Value* const input = inputs.Find(name);
  if (input == nullptr) return fallback;
  const std::string_view text = input->ScalarText();
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > kMaxLength) {
    return InvalidArgument(std::string("make a random password: the input ") + name +
                           " must be a whole number from 0 to " + std::to_string(kMaxLength));
  }
  return number;
}

// Adds a class that is in use: the switch is not off.
Status AddClass(const Value& inputs, const char* use, const char* minimum,
                std::string_view characters, std::vector<CharacterClass>& classes) {
  const Value* const input = inputs.Find(use);
  if ((input != nullptr && !input->AsBool()) || characters.empty()) return {};
  ESC_ASSIGN_OR_RETURN(const std::size_t at_least, NumberOf(inputs, minimum, 0));
  classes.push_back({.characters = characters, .minimum = at_least});
  return {};
}

Status AppendRandom(std::string_view characters, std::size_t count, std::string& password) {
  for (std::size_t i = 0; i < count; ++i) {
    ESC_ASSIGN_OR_RETURN(const std::size_t index, RandomBelow(characters.size()));
    password += characters[index];
  }
  return {};
}

Status Shuffle(std::string& password) {
  for (std::size_t i = password.size(); i > 1; --i) {
    ESC_ASSIGN_OR_RETURN(const std::size_t other, RandomBelow(i));
    std::swap(password[i - 1], password[other]);
  }
  return {};
}

Result<Secret> MakePassword(std::span<const CharacterClass> classes, std::size_t length) {
  std::string all;
  std::string password;
  password.reserve(length);
  for (const CharacterClass& some : classes) {
    all += some.characters;
    ESC_RETURN_IF_ERROR(AppendRandom(some.characters, some.minimum, password));
  }
  if (all.empty() || password.size() > length || length == 0) {
    WipeString(password);
    return InvalidArgument(
        "make a random password: its inputs leave no characters, or ask for more of them than its "
        "length");
  }
  const std::size_t left = length - password.size();
  Status filled = AppendRandom(all, left, password);
  if (filled) filled = Shuffle(password);
  Secret secret(std::move(password));
  if (!filled) return std::unexpected(filled.error());
  return secret;
}

Value SecretOf(Secret text) {
  Value value = Value::String(std::move(text));
  value.set_secret(true);
  return value;
}

}  // namespace

SchemaPtr PasswordRotator::InputSchema() const {
  Schema schema;
  schema.type = "object";
  for (const char* name : {"length", "minLower", "minUpper", "minSpecial"}) {
    schema.properties[name] = TypeSchema("number");
  }
  for (const char* name : {"lower", "upper", "special"}) {
    schema.properties[name] = TypeSchema("boolean");
  }
  schema.properties["overrideSpecial"] = TypeSchema("string");
  schema.additional_properties = NeverSchema();
  return std::make_shared<const Schema>(std::move(schema));
}

SchemaPtr PasswordRotator::StateSchema() const {
  Schema schema;
  schema.type = "object";
  schema.properties["current"] = SecretString();
  schema.properties["previous"] = OneOfSchema({SecretString(), TypeSchema("null")});
  schema.additional_properties = NeverSchema();
  schema.required = {"current"};
  return std::make_shared<const Schema>(std::move(schema));
}

SchemaPtr PasswordRotator::OutputSchema() const { return SecretString(); }

Result<Value> PasswordRotator::Open(const Value&, const Value* state, const ProviderContext&) {
  const Value* const current = state == nullptr ? nullptr : state->Find("current");
  if (current == nullptr) {
    return FailedPrecondition(
        "there is no password yet; rotate the environment (esc env rotate) to make one");
  }
  return SecretOf(Secret(current->ScalarText()));
}

Result<Value> PasswordRotator::Rotate(const Value& inputs, const Value* state,
                                      const ProviderContext&) {
  const Value* const special = inputs.Find("overrideSpecial");
  std::vector<CharacterClass> classes;
  ESC_RETURN_IF_ERROR(AddClass(inputs, "lower", "minLower", "abcdefghijklmnopqrstuvwxyz", classes));
  ESC_RETURN_IF_ERROR(AddClass(inputs, "upper", "minUpper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", classes));
  ESC_RETURN_IF_ERROR(AddClass(inputs, "special", "minSpecial",
                               special == nullptr ? "!@#$%&*()-_=+[]{}<>:?" : special->ScalarText(),
                               classes));
  ESC_ASSIGN_OR_RETURN(const std::size_t length, NumberOf(inputs, "length", 16));
  ESC_ASSIGN_OR_RETURN(Secret password, MakePassword(classes, length));
  const Value* const current = state == nullptr ? nullptr : state->Find("current");
  Value::Object next;
  next.emplace_back("current", SecretOf(std::move(password)));
  next.emplace_back("previous",
                    current == nullptr ? Value::Null() : SecretOf(Secret(current->ScalarText())));
  return Value::MakeObject(std::move(next));
}

}  // namespace escagent::eval
