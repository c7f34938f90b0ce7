#include "base/json_fields.h"

#include <limits>
#include <ostream>
#include <streambuf>

#include "base/strings.h"

namespace escagent {
namespace {

using nlohmann::json;

// A stream into a SecretBuilder, as nlohmann's writer into a std::string would leave pieces of the
// text behind whenever the string grows.
class SecretStreamBuffer final : public std::streambuf {
 public:
  explicit SecretStreamBuffer(SecretBuilder& out) : out_(out) {}

 protected:
  int_type overflow(int_type c) override {
    if (!traits_type::eq_int_type(c, traits_type::eof())) out_.Append(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    out_.Append({text, static_cast<std::size_t>(size)});
    return size;
  }

 private:
  SecretBuilder& out_;
};

// nlohmann's writer throws at other text.
bool HasOnlyUtf8(const json& document) {
  if (const auto* text = document.get_ptr<const json::string_t*>(); text != nullptr) {
    return IsValidUtf8(*text);
  }
  if (!document.is_structured()) return true;
  const auto* members = document.get_ptr<const json::object_t*>();
  if (members != nullptr) {
    for (const auto& [key, value] : *members) {
      if (!IsValidUtf8(key) || !HasOnlyUtf8(value)) return false;
    }
    return true;
  }
  for (const json& element : document) {
    if (!HasOnlyUtf8(element)) return false;
  }
  return true;
}

}  // namespace

const json& Member(const json& object, std::string_view key) {
  static const json kNothing;
  if (!object.is_object()) return kNothing;
  const auto it = object.find(key);
  return it == object.end() ? kNothing : *it;
}

std::string StringMember(const json& object, std::string_view key) {
  const auto* text = Member(object, key).get_ptr<const json::string_t*>();
  return text == nullptr ? std::string() : *text;
}

std::int64_t IntegerMember(const json& object, std::string_view key) {
  const json& member = Member(object, key);
  if (const auto* number = member.get_ptr<const json::number_unsigned_t*>(); number != nullptr) {
    constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
    return *number > static_cast<std::uint64_t>(kMax) ? 0 : static_cast<std::int64_t>(*number);
  }
  const auto* number = member.get_ptr<const json::number_integer_t*>();
  return number == nullptr ? 0 : *number;
}

bool BoolMember(const json& object, std::string_view key) {
  const auto* value = Member(object, key).get_ptr<const json::boolean_t*>();
  return value != nullptr && *value;
}

std::vector<std::string> StringsMember(const json& object, std::string_view key) {
  std::vector<std::string> strings;
  const json& member = Member(object, key);
  if (!member.is_array()) return strings;
  for (const json& element : member) {
    if (const auto* text = element.get_ptr<const json::string_t*>(); text != nullptr) {
      strings.push_back(*text);
    }
  }
  return strings;
}

Result<Secret> SerializeJson(const json& document, std::string_view what) {
  if (!HasOnlyUtf8(document)) {
    return InvalidArgument("write " + std::string(what) +
                           ": a text in it is not valid UTF-8; binary values belong into base64");
  }
  SecretBuilder text;
  SecretStreamBuffer buffer(text);
  std::ostream stream(&buffer);
  stream << document;
  return text.Finish();
}

}  // namespace escagent
