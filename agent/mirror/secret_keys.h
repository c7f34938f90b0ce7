#pragma once

#include <string>
#include <string_view>

#include "agent/mirror/secret_data.h"
#include "agent/mirror/strategies.h"
#include "base/result.h"

namespace escagent::mirror {

// "Default", "Unicode".
std::string_view StrategyName(ConversionStrategy strategy);

// A key with each character that is no Unicode letter, number, "-", "." or "_" replaced: by "_", or
// by "_U<code point in hex, 4 digits at least>_".
std::string ConvertKey(ConversionStrategy strategy, std::string_view key);

// Converts all keys. INVALID_ARGUMENT when two become one.
Result<SecretData> ConvertKeys(ConversionStrategy strategy, SecretData data);

// Whether Kubernetes takes this as a key of a Secret (IsConfigMapKey of apimachinery): letters and
// digits of ASCII, "-", "_" and ".", at most 253, not "." nor beginning with "..". The error says
// why not, with the key.
Status ValidateKey(std::string_view key);

// ValidateKey for all of them; an empty key is dropped, as ESO does.
Status ValidateKeys(SecretData& data);

// A key, quoted and shortened for a message.
std::string QuoteKey(std::string_view key);

}  // namespace escagent::mirror
