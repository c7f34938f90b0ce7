#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "agent/template/heap.h"
#include "agent/template/value.h"

// JSON as Go's encoding/json reads and writes it.
namespace escagent::gotemplate {

// Numbers become float64, as in an interface{} of Go.
Value FromJson(const nlohmann::json& document, Heap& heap);

struct JsonStyle {
  bool indented = false;    // by two spaces
  bool escape_html = true;  // < > and & as \u003c
};

void AppendJson(const Value& value, const JsonStyle& style, Heap& heap, TextBuilder& out);

// False for infinities and NaN, and for what holds one.
bool HasJsonForm(const Value& value, Heap& heap, std::size_t depth = 0);

// A number as JSON has it: no exponent for what is neither tiny nor huge.
std::string JsonNumber(double number);

}  // namespace escagent::gotemplate
