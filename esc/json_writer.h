#pragma once

#include <string_view>

#include "base/secret.h"
#include "esc/value.h"

namespace escagent::esc {

struct JsonOptions {
  // Spaces per level; -1 writes everything on one line without spaces.
  int indent = -1;
  // < > & and U+2028/9 as \u003c ..., as Go's encoding/json does (fn::toJSON).
  bool escape_html = false;
  // Every value marked secret becomes "[secret]".
  bool redact_secrets = false;
};

// Appends the plain JSON of a value (no "value" nodes): keys sorted, numbers with their exact text,
// no newline at the end. Bytes that are not UTF-8 become U+FFFD, as in Go.
//
// A value that is unknown is written as "[unknown]", which is for people. Whoever delivers the text
// to a program refuses values with ContainsUnknown() first.
void WriteJson(const Value& value, const JsonOptions& options, SecretBuilder& out);

// Appends `text` as a JSON string with its quotes.
void WriteJsonString(std::string_view text, bool escape_html, SecretBuilder& out);

}  // namespace escagent::esc
