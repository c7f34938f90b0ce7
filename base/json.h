#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent {

// Deeper JSON is refused: recursive readers of the result must not run out of stack.
inline constexpr std::size_t kMaxJsonDepth = 200;

// Parses one JSON document (RFC 8259; valid UTF-8, nesting up to kMaxJsonDepth). `what` names the
// document in the error, which has the position but none of the text. The only place where
// nlohmann's parse errors are caught.
Result<nlohmann::json> ParseJson(std::string_view text, std::string_view what);

// Feeds a document to a SAX handler of nlohmann's shape (json_sax_t), with the same limits. Numbers
// keep their exact text: number_float(value, text). When the handler returned false the error is
// generic (invalid JSON); a handler with more to say keeps its own cause.
Status ParseJsonSax(std::string_view text, std::string_view what,
                    nlohmann::json_sax<nlohmann::json>& handler);

// Overwrites every string in the document. For documents that held values or tokens.
void Scrub(nlohmann::json& document);

// JSON text of a string, quoted, as Go's encoding/json writes it (< > & and U+2028/9 escaped when
// `escape_html`).
std::string QuoteJson(std::string_view text, bool escape_html);

// JSON text for people and machines: sorted keys, no spaces (indent < 0) or indented.
std::string DumpJson(const nlohmann::json& document, int indent = -1);

}  // namespace escagent
