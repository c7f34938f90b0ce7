#include "esc/property_path.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <system_error>

#include "base/strings.h"
#include "esc/text_limit.h"
#include "esc/value_kind.h"

namespace escagent::esc {
namespace {

constexpr std::size_t kMaxKeysShown = 8;
constexpr std::size_t kMaxKeyShown = 64;
constexpr std::size_t kMaxKeysCompared = 1000;
constexpr std::size_t kMaxKeyCompared = 256;
constexpr std::size_t kMaxPathShown = 300;

bool IsBareCharacter(char c) {
  constexpr std::string_view kSpecial = ".[]{}\"\x7f";
  return static_cast<unsigned char>(c) > 0x20 && kSpecial.find(c) == std::string_view::npos;
}

bool IsBareName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, IsBareCharacter);
}

std::string Quoted(std::string_view key) {
  std::string text = "\"";
  for (const char c : key) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

// One pass over the text of a path.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<PropertyPath::Accessor>> Run() {
    while (position_ < text_.size()) {
      if (Peek() == '.') {
        if (accessors_.empty()) return Fault("a path does not begin with a dot");
        ++position_;
        if (position_ == text_.size()) return Fault("a name must follow the dot");
      } else if (Peek() != '[' && !accessors_.empty()) {
        return Fault("expected a dot or a bracket");
      }
      ESC_RETURN_IF_ERROR(Peek() == '[' ? ReadBracket() : ReadName());
    }
    return std::move(accessors_);
  }

 private:
  char Peek() const { return text_[position_]; }
  bool AtEnd() const { return position_ >= text_.size(); }

  std::unexpected<Error> Fault(std::string_view cause) const {
    return InvalidArgument("read property path: " + std::string(cause) + " (at offset " +
                           std::to_string(position_) + ")");
  }

  Status ReadName() {
    const std::size_t begin = position_;
    while (!AtEnd() && IsBareCharacter(Peek())) ++position_;
    if (position_ == begin) {
      return Fault("expected a name; write one with special characters as [\"name\"]");
    }
    if (!AtEnd() && Peek() != '.' && Peek() != '[') {
      return Fault("a name with such a character is written [\"name\"]");
    }
    accessors_.emplace_back(std::string(text_.substr(begin, position_ - begin)));
    return {};
  }

  Status ReadBracket() {
    ++position_;
    if (AtEnd()) return Fault("the bracket is not closed");
    ESC_RETURN_IF_ERROR(Peek() == '"' ? ReadQuoted() : ReadIndex());
    if (AtEnd() || Peek() != ']') return Fault("expected \"]\"");
    ++position_;
    return {};
  }

  Status ReadQuoted() {
    ++position_;
    std::string key;
    while (!AtEnd() && Peek() != '"') {
      if (Peek() == '\\') {
        ++position_;
        if (AtEnd() || (Peek() != '"' && Peek() != '\\')) {
          return Fault("only \\\" and \\\\ are escapes");
        }
      }
      key += Peek();
      ++position_;
    }
    if (AtEnd()) return Fault("the quote is not closed");
    ++position_;
    accessors_.emplace_back(std::move(key));
    return {};
  }

  Status ReadIndex() {
    if (Peek() == '*') return Fault("wildcards are not supported");
    std::size_t index = 0;
    const char* begin = text_.data() + position_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), index, 10);
    if (error == std::errc::result_out_of_range) return Fault("the index is too large");
    if (error != std::errc()) return Fault("expected an index or a quoted name in the bracket");
    position_ += static_cast<std::size_t>(end - begin);
    accessors_.emplace_back(index);
    return {};
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::vector<PropertyPath::Accessor> accessors_;
};

void AppendAccessor(const PropertyPath::Accessor& accessor, std::string& text) {
  if (const std::size_t* index = std::get_if<std::size_t>(&accessor)) {
    text += "[" + std::to_string(*index) + "]";
    return;
  }
  const std::string& key = std::get<std::string>(accessor);
  if (IsBareName(key)) {
    if (!text.empty()) text += '.';
    text += key;
  } else {
    text += "[" + Quoted(key) + "]";
  }
}

std::string Shown(std::string_view key) { return Quoted(LimitText(key, kMaxKeyShown)); }

// "; did you mean "password"? It has the keys "host", "password"".
std::string DescribeKeys(const Value& object, std::string_view wanted) {
  // The keys of a secret object came out of a secret (fn::fromJSON of one): not for error texts.
  if (object.secret()) return "; its keys are not shown as it is secret";
  if (object.members().empty()) return "; it is empty";
  std::vector<std::string_view> keys;
  for (const auto& member : object.members()) keys.push_back(member.first);
  // Looking for a slip of the keyboard costs the product of the lengths: not for absurd keys.
  std::vector<std::string_view> candidates;
  std::ranges::copy_if(keys, std::back_inserter(candidates),
                       [](std::string_view key) { return key.size() <= kMaxKeyCompared; });
  candidates.resize(std::min(candidates.size(), kMaxKeysCompared));
  std::string text;
  if (const std::optional<std::string_view> nearest = Nearest(wanted, candidates)) {
    text += "; did you mean " + Shown(*nearest) + "?";
  }
  text += text.empty() ? "; it has the keys " : " It has the keys ";
  for (std::size_t i = 0; i < std::min(keys.size(), kMaxKeysShown); ++i) {
    if (i > 0) text += ", ";
    text += Shown(keys[i]);
  }
  if (keys.size() > kMaxKeysShown) {
    text += " and " + std::to_string(keys.size() - kMaxKeysShown) + " more";
  }
  return text;
}

// The member of `parent` that the accessor names, or why there is none.
Result<const Value*> Step(const Value& parent, const PropertyPath::Accessor& accessor) {
  if (parent.unknown()) {
    return FailedPrecondition("is not known: it was not evaluated when the environment was opened");
  }
  if (const std::size_t* index = std::get_if<std::size_t>(&accessor)) {
    if (parent.kind() != Value::Kind::kArray) {
      return NotFound("is " + std::string(KindName(parent)) + ", which has no elements");
    }
    if (*index >= parent.elements().size()) {
      return NotFound("has no element " + std::to_string(*index) + "; it has " +
                      std::to_string(parent.elements().size()));
    }
    return &parent.elements()[*index];
  }
  const std::string& key = std::get<std::string>(accessor);
  if (parent.kind() != Value::Kind::kObject) {
    return NotFound("is " + std::string(KindName(parent)) + ", which has no keys");
  }
  if (const Value* member = parent.Find(key)) return member;
  return NotFound("has no key " + Shown(key) + DescribeKeys(parent, key));
}

}  // namespace

Result<PropertyPath> PropertyPath::Parse(std::string_view text) {
  if (!IsValidUtf8(text)) return InvalidArgument("read property path: it is not valid UTF-8");
  ESC_ASSIGN_OR_RETURN(std::vector<Accessor> accessors, Parser(text).Run());
  return PropertyPath(std::move(accessors));
}

std::string PropertyPath::ToString() const {
  std::string text;
  for (const Accessor& accessor : accessors_) AppendAccessor(accessor, text);
  return text;
}

Result<const Value*> PropertyPath::Lookup(const Value& root) const {
  const Value* value = &root;
  std::string walked;
  for (const Accessor& accessor : accessors_) {
    Result<const Value*> next = Step(*value, accessor);
    if (!next) {
      Error error = std::move(next).error();
      error.message = "find property " + LimitText(ToString(), kMaxPathShown) + ": " +
                      (walked.empty() ? "the environment" : LimitText(walked, kMaxPathShown)) +
                      " " + error.message;
      return std::unexpected(std::move(error));
    }
    AppendAccessor(accessor, walked);
    value = *next;
  }
  return value;
}

}  // namespace escagent::esc
