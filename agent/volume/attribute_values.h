#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "agent/volume/volume_attributes.h"
#include "base/result.h"
#include "base/strings.h"

namespace escagent::volume {

// Readers of the values that attributes and items have in common. `what` names the attribute in the
// error ("mode", "items[2].mode"). A value is only repeated in an error when it is too short to be
// a token that was put into the wrong attribute.

// " (got "x")", or nothing for a long value.
std::string GotForMessage(std::string_view value);

// Octal permission bits, 0 to 0777: "0440", "440" or "0o440".
Result<mode_t> ParseMode(std::string_view text, std::string_view what);

// A decimal user or group id. 4294967295 is not one: it means "leave it" to chown(2).
Result<std::uint32_t> ParseId(std::string_view text, std::string_view what);

Result<bool> ParseBool(std::string_view text, std::string_view what);

// Checks an ESC property path.
Status ValidatePropertyPath(std::string_view text, std::string_view what);

// Checks the name of a Kubernetes object: a DNS subdomain of RFC 1123 as Kubernetes defines it
// ("Object Names and IDs").
Status ValidateObjectName(std::string_view text, std::string_view what);

// One of a fixed set of words.
template <class T>
Result<T> ParseChoice(std::string_view text, std::string_view what,
                      std::span<const std::pair<std::string_view, T>> choices) {
  std::string allowed;
  for (const auto& [word, value] : choices) {
    if (text == word) return value;
    if (!allowed.empty()) allowed += ", ";
    allowed += word;
  }
  return InvalidArgument(std::string(what) + ": must be one of " + allowed + GotForMessage(text));
}

Result<Encoding> ParseEncoding(std::string_view text, std::string_view what);

// "; did you mean "x"?" for the nearest of the known names, or nothing.
std::string DidYouMean(std::string_view name, std::span<const std::string_view> known);

}  // namespace escagent::volume
