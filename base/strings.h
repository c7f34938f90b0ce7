#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace escagent {

std::vector<std::string_view> Split(std::string_view text, char separator);
std::string Join(std::span<const std::string_view> parts, std::string_view separator);

bool EqualsIgnoreCase(std::string_view a, std::string_view b);

// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool IsValidUtf8(std::string_view text);

// The candidate with the smallest edit distance to `name`, if it is near enough to be a slip of
// the keyboard (distance <= max(2, length / 3)).
std::optional<std::string_view> Nearest(std::string_view name,
                                        std::span<const std::string_view> candidates);

// RFC 4648 section 4 (standard alphabet, padded). Decoding ignores \r and \n, as Go's
// encoding/base64 does; nothing when the text is not base64.
void EncodeBase64(std::string_view bytes, SecretBuilder& out);
std::optional<Secret> DecodeBase64(std::string_view text);

// Percent-encodes all but RFC 3986 unreserved characters.
std::string UrlEncode(std::string_view text);

// Lower-case hex of the SHA-256 of `bytes`.
std::string Sha256Hex(std::string_view bytes);

}  // namespace escagent
