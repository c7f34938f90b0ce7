#pragma once

#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace escagent::eval {

// The text of `fn::secret: {ciphertext: TEXT}` (reference/esc-api.md (c)):
// base64("escx" | version 1 | ciphertext | CRC-32), the numbers big-endian.
Secret EncodeEnvelope(std::string_view ciphertext);

// The ciphertext in an envelope. INVALID_ARGUMENT with the short text that ESC has for it ("EOF"
// for one that is too short, "invalid header", "invalid checksum", "unsupported version").
Result<Secret> DecodeEnvelope(std::string_view text);

}  // namespace escagent::eval
