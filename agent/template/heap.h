#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "agent/template/limits.h"
#include "agent/template/value.h"
#include "base/result.h"

namespace escagent::gotemplate {

// Owns every text, list and map that one rendering makes, and counts what it uses. All of it is
// freed, and the texts are wiped, when the rendering ends: values may form cycles meanwhile.
//
// A limit that was hit stays hit: what is asked for afterwards is small or empty, and the executor,
// which looks at Check() after each step, ends with that error. So functions need not look.
class Heap {
 public:
  explicit Heap(const Limits& limits) : limits_(limits) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  const Limits& limits() const { return limits_; }

  // Keeps the text.
  std::string_view Keep(std::string&& text);
  Value Text(std::string&& text) { return Value::Text(Keep(std::move(text))); }
  List& NewList(Element element = Element::kAny);
  Map& NewMap(Element element = Element::kAny);

  // Adds to a list or a map of this heap, and counts it.
  void Push(List& list, const Value& value);
  void Put(Map& map, std::string_view key, const Value& value);

  // Counts steps of work. False when there are none left.
  bool Spend(std::size_t steps);
  // Whether a text of `bytes` may still be made; hits the limit when not.
  bool Allows(std::size_t bytes);
  // For values that are nested too deep, which end the rendering too.
  void Exhaust(std::string_view what);

  // RESOURCE_EXHAUSTED with the first limit that was hit. The message has no position.
  Status Check() const;

 private:
  void Count(std::size_t bytes);

  const Limits limits_;
  std::size_t bytes_ = 0;
  std::size_t steps_ = 0;
  std::string exhausted_;
  // A deque never moves what it holds.
  std::deque<std::string> texts_;
  std::deque<List> lists_;
  std::deque<Map> maps_;
};

// Collects a text that stays within what the heap allows; empty when it would not.
class TextBuilder {
 public:
  explicit TextBuilder(Heap& heap) : heap_(heap) {}

  void Append(std::string_view text);
  void Append(std::size_t count, char c);
  void AppendRune(char32_t rune);
  std::size_t Size() const { return text_.size(); }
  // The text as a value of the heap; the builder is empty afterwards.
  Value Finish() { return heap_.Text(std::move(text_)); }
  std::string Take() { return std::move(text_); }

 private:
  bool Fits(std::size_t more);

  Heap& heap_;
  std::string text_;
};

}  // namespace escagent::gotemplate
