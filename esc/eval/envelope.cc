#include "esc/eval/envelope.h"

#include <cstdint>
#include <optional>
#include <string>

#include "base/go_base64.h"
#include "base/strings.h"

namespace escagent::eval {
namespace {

constexpr std::string_view kMagic = "escx";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kNumberSize = 4;
constexpr std::size_t kHeadSize = 8;
// ESC asks for four more bytes than the head and the checksum have.
constexpr std::size_t kMinSize = 16;

std::uint32_t Crc32(std::string_view bytes) {
  constexpr std::uint32_t kPolynomial = 0xEDB88320U;  // IEEE 802.3, bits reversed
  std::uint32_t crc = ~0U;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0U);
  }
  return ~crc;
}

std::string BigEndian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>((number >> static_cast<unsigned>(shift)) & 0xFFU);
  }
  return bytes;
}

}  // namespace

Secret EncodeEnvelope(std::string_view ciphertext) {
  SecretBuilder envelope;
  envelope.Append(kMagic);
  envelope.Append(BigEndian(kVersion));
  envelope.Append(ciphertext);
  envelope.Append(BigEndian(Crc32(envelope.Reveal())));
  SecretBuilder text;
  EncodeBase64(envelope.Reveal(), text);
  return text.Finish();
}

Result<Secret> DecodeEnvelope(std::string_view text) {
  const std::optional<Secret> envelope = DecodeBase64(text);
  if (!envelope) return InvalidArgument(DescribeBase64Fault(text));
  std::string_view bytes = envelope->Reveal();
  if (bytes.size() < kMinSize) return InvalidArgument("EOF");
  if (!bytes.starts_with(kMagic)) return InvalidArgument("invalid header");
  const std::string_view checksum = bytes.substr(bytes.size() - kNumberSize);
  bytes.remove_suffix(kNumberSize);
  if (checksum != BigEndian(Crc32(bytes))) return InvalidArgument("invalid checksum");
  if (bytes.substr(kMagic.size(), kNumberSize) != BigEndian(kVersion)) {
    return InvalidArgument("unsupported version");
  }
  return Secret(bytes.substr(kHeadSize));
}

}  // namespace escagent::eval
