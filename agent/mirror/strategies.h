#pragma once

namespace escagent::mirror {

// What happens to characters of a key that Kubernetes does not allow: "_", or "_U0026_".
enum class ConversionStrategy { kDefault, kUnicode };

// How values are decoded before they are written. kAuto tries standard base64, then URL-safe
// base64, else leaves the value alone.
enum class DecodingStrategy { kNone, kBase64, kBase64Url, kAuto };

// Whether a value may hold NUL bytes.
enum class NullBytePolicy { kIgnore, kFail };

}  // namespace escagent::mirror
