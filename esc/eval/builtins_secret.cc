#include <utility>

#include "esc/eval/builtin.h"
#include "esc/eval/call.h"
#include "esc/eval/envelope.h"

namespace escagent::eval {
namespace {

constexpr std::string_view kCiphertext = "ciphertext";

bool IsCiphertext(const Expression& argument) {
  return argument.kind == Expression::Kind::kObject && argument.members.size() == 1 &&
         argument.members.front().key == kCiphertext &&
         argument.members.front().value.kind == Expression::Kind::kString;
}

}  // namespace

std::optional<std::string> CheckSecret(const Expression& argument) {
  if (argument.kind == Expression::Kind::kString || IsCiphertext(argument)) return std::nullopt;
  return "secret values must be string literals; write an object as a JSON string and read it with "
         "fn::fromJSON";
}

NodePtr CallSecret(Call& call) {
  const Expression& argument = call.syntax();
  if (argument.kind == Expression::Kind::kString) {
    return call.String(Secret(std::string_view(argument.text)), /*secret=*/true);
  }
  auto ciphertext = DecodeEnvelope(argument.members.front().value.text);
  if (!ciphertext) return call.Fail("invalid ciphertext: " + ciphertext.error().message);
  if (call.decrypter() == nullptr) {
    call.Fail(
        "the ciphertext of a secret can only be opened by the service that made it; write the "
        "secret in plaintext here");
    return call.Unknown(/*secret=*/true);
  }
  auto plaintext = call.decrypter()->Decrypt(ciphertext->Reveal());
  if (!plaintext) {
    call.Fail("decrypt secret: " + plaintext.error().message);
    return call.Unknown(/*secret=*/true);
  }
  return call.String(*std::move(plaintext), /*secret=*/true);
}

}  // namespace escagent::eval
