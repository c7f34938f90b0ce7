#include <openssl/evp.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "agent/template/function.h"
#include "agent/template/number.h"
#include "base/go_base64.h"
#include "base/secret.h"
#include "base/strings.h"

// sprig's encodings and digests. What cannot be decoded becomes the text of Go's error, as there:
// it stands in the output, not in an error.
namespace escagent::gotemplate {
namespace {

bool IsLineBreak(char c) { return c == '\r' || c == '\n'; }

constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
Result<Value> EncodeBase64Text(Call& call) {
  SecretBuilder out;
  EncodeBase64(call.Text(0), out);
  return call.Make(std::string(out.Reveal()));
}

Result<Value> DecodeBase64Text(Call& call) {
  const std::optional<Secret> decoded = DecodeBase64(call.Text(0));
  if (decoded) return call.Make(std::string(decoded->Reveal()));
  return call.Make(DescribeBase64Fault(call.Text(0)));
}

Result<Value> EncodeBase32(Call& call) {
  TextBuilder out(call.heap);
  std::uint64_t bits = 0;
  unsigned count = 0;
  for (const char c : call.Text(0)) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 5; count -= 5) out.Append(1, kBase32[bits >> (count - 5) & 31U]);
  }
  if (count > 0) out.Append(1, kBase32[bits << (5 - count) & 31U]);
  out.Append((8 - out.Size() % 8) % 8, '=');
  return out.Finish();
}

// The bytes, or where the first fault is.
std::optional<std::size_t> DecodeBase32(std::string_view text, std::string& out) {
  std::string digits;
  std::size_t padding = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (IsLineBreak(text[at])) continue;
    if (text[at] == '=') {
      ++padding;
    } else if (padding > 0 || !kBase32.contains(text[at])) {
      return at;
    } else {
      digits += text[at];
    }
  }
  const std::size_t rest = digits.size() % 8;
  const bool whole = (digits.size() + padding) % 8 == 0 && padding < 8;
  if (!whole || rest == 1 || rest == 3 || rest == 6) return text.size();
  std::uint64_t bits = 0;
  unsigned count = 0;
  for (const char c : digits) {
    bits = bits << 5 | kBase32.find(c);
    count += 5;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xFFU);
    }
  }
  return std::nullopt;
}

Result<Value> DecodeBase32Text(Call& call) {
  std::string bytes;
  const std::optional<std::size_t> fault = DecodeBase32(call.Text(0), bytes);
  if (!fault) return call.Make(std::move(bytes));
  WipeString(bytes);
  return call.Make("illegal base32 data at input byte " + std::to_string(*fault));
}

std::string Hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return text;
}

Value Digest(Call& call, const EVP_MD* algorithm) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  const std::string_view text = call.Text(0);
  // Cannot fail with an algorithm that OpenSSL has built in.
  EVP_Digest(text.data(), text.size(), digest.data(), &size, algorithm, nullptr);
  return call.Make(Hex(std::string(digest.begin(), digest.begin() + size)));
}

Result<Value> Sha1(Call& call) { return Digest(call, EVP_sha1()); }
Result<Value> Sha256(Call& call) { return Digest(call, EVP_sha256()); }
Result<Value> Sha512(Call& call) { return Digest(call, EVP_sha512()); }

// RFC 1950, in decimal.
Result<Value> Adler32(Call& call) {
  constexpr std::uint32_t kModulus = 65521;
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  for (const char c : call.Text(0)) {
    a = (a + static_cast<unsigned char>(c)) % kModulus;
    b = (b + a) % kModulus;
  }
  return call.Make(std::to_string(b << 16 | a));
}

constexpr Function kEncodingFunctions[] = {
    {"adler32sum", "s", Adler32},      {"b32dec", "s", DecodeBase32Text},
    {"b32enc", "s", EncodeBase32},     {"b64dec", "s", DecodeBase64Text},
    {"b64enc", "s", EncodeBase64Text}, {"sha1sum", "s", Sha1},
    {"sha256sum", "s", Sha256},        {"sha512sum", "s", Sha512},
};

}  // namespace

std::span<const Function> EncodingFunctions() { return kEncodingFunctions; }

}  // namespace escagent::gotemplate
