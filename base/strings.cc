#include "base/strings.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace escagent {

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string Join(std::span<const std::string_view> parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

bool IsValidUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    // The smallest second byte guards against overlong forms, the largest against surrogates and
    // code points beyond U+10FFFF (Unicode, table 3-7).
    std::size_t length = 0;
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      length = 3;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      length = 4;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    if (i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      const auto byte = static_cast<std::uint8_t>(text[i + k]);
      if (byte < low || byte > high) return false;
      low = 0x80;
      high = 0xBF;
    }
    i += length;
  }
  return true;
}

namespace {

// Levenshtein distance, two rows.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::string_view> Nearest(std::string_view name,
                                        std::span<const std::string_view> candidates) {
  // Names come from users: bound the work.
  if (name.size() > 256) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = EditDistance(name, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

void EncodeBase64(std::string_view bytes, SecretBuilder& out) {
  // Whole groups of three, so that only the last call pads.
  constexpr std::size_t kStep = 3072;
  std::array<unsigned char, kStep / 3 * 4 + 1> buffer;
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), kStep);
    const int written = EVP_EncodeBlock(
        buffer.data(), reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(n));
    out.Append({reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(written)});
    bytes.remove_prefix(n);
  }
  OPENSSL_cleanse(buffer.data(), buffer.size());
}

namespace {

constexpr int kInvalidDigit = -1;

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return kInvalidDigit;
}

}  // namespace

// OpenSSL's decoders keep the padding as zero bytes and accept white space in places where Go does
// not, so the few lines are ours.
std::optional<Secret> DecodeBase64(std::string_view text) {
  SecretBuilder out;
  std::uint32_t group = 0;
  int digits = 0;
  int padding = 0;
  std::array<char, 3> bytes;
  for (const char c : text) {
    if (c == '\r' || c == '\n') continue;
    if (c == '=') {
      if (digits < 2 || ++padding + digits > 4) return std::nullopt;
      continue;
    }
    const int digit = Base64Digit(c);
    if (digit == kInvalidDigit || padding > 0) return std::nullopt;
    group = group << 6 | static_cast<std::uint32_t>(digit);
    if (++digits < 4) continue;
    bytes = {static_cast<char>(group >> 16), static_cast<char>(group >> 8 & 0xFF),
             static_cast<char>(group & 0xFF)};
    out.Append({bytes.data(), 3});
    group = 0;
    digits = 0;
  }
  if (digits == 0 && padding == 0) return out.Finish();
  if (digits + padding != 4) return std::nullopt;
  group <<= 6 * padding;
  bytes = {static_cast<char>(group >> 16), static_cast<char>(group >> 8 & 0xFF), 0};
  out.Append({bytes.data(), static_cast<std::size_t>(digits - 1)});
  return out.Finish();
}

std::string UrlEncode(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 0xF];
    }
  }
  return out;
}

std::string Sha256Hex(std::string_view bytes) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  std::string out;
  for (const unsigned char byte : digest) {
    out += kHex[byte >> 4];
    out += kHex[byte & 0xF];
  }
  return out;
}

}  // namespace escagent
