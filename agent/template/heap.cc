#include "agent/template/heap.h"

#include <utility>

#include "agent/template/runes.h"
#include "base/secret.h"

namespace escagent::gotemplate {
namespace {

// What a node of std::map or a deque costs beside its content, roughly.
constexpr std::size_t kNodeSize = 96;

// Making a text takes time too.
constexpr std::size_t kBytesPerStep = 64;

}  // namespace

Heap::~Heap() {
  for (std::string& text : texts_) WipeString(text);
}

std::string_view Heap::Keep(std::string&& text) {
  Count(text.size() + kNodeSize);
  if (!Spend(text.size() / kBytesPerStep)) {
    WipeString(text);
    return {};
  }
  std::string& kept = texts_.emplace_back(std::move(text));
  // Short texts are copied by a move.
  WipeString(text);
  return kept;
}

List& Heap::NewList(Element element) {
  Count(kNodeSize);
  List& list = lists_.emplace_back();
  list.element = element;
  return list;
}

Map& Heap::NewMap(Element element) {
  Count(kNodeSize);
  Map& map = maps_.emplace_back();
  map.element = element;
  return map;
}

void Heap::Push(List& list, const Value& value) {
  Count(sizeof(Value));
  if (Spend(1)) list.items.push_back(value);
}

void Heap::Put(Map& map, std::string_view key, const Value& value) {
  Count(kNodeSize);
  if (Spend(1)) map.items.insert_or_assign(key, value);
}

bool Heap::Spend(std::size_t steps) {
  steps_ += steps;
  if (steps_ > limits_.max_steps) {
    Exhaust("takes more than " + std::to_string(limits_.max_steps) + " steps");
  }
  return exhausted_.empty();
}

bool Heap::Allows(std::size_t bytes) {
  if (bytes > limits_.max_memory || bytes_ + bytes > limits_.max_memory) {
    Exhaust("needs more than " + std::to_string(limits_.max_memory) + " bytes of memory");
  }
  return exhausted_.empty();
}

void Heap::Exhaust(std::string_view what) {
  if (exhausted_.empty()) exhausted_ = what;
}

Status Heap::Check() const {
  if (exhausted_.empty()) return {};
  return MakeError(Code::kResourceExhausted, "the template " + exhausted_);
}

void Heap::Count(std::size_t bytes) {
  if (Allows(bytes)) bytes_ += bytes;
}

void TextBuilder::Append(std::string_view text) {
  if (Fits(text.size())) text_ += text;
}

void TextBuilder::Append(std::size_t count, char c) {
  if (Fits(count)) text_.append(count, c);
}

void TextBuilder::AppendRune(char32_t rune) {
  if (Fits(4)) gotemplate::AppendRune(rune, text_);
}

bool TextBuilder::Fits(std::size_t more) {
  // Together they could overflow.
  const std::size_t size = more > heap_.limits().max_memory ? more : text_.size() + more;
  if (heap_.Allows(size)) return true;
  if (!text_.empty()) WipeString(text_);
  return false;
}

}  // namespace escagent::gotemplate
