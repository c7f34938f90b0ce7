#include <utility>

#include "esc/eval/builtin.h"
#include "esc/eval/call.h"
#include "esc/eval/envelope.h"

namespace escagent::eval {
namespace {

constexpr std::string_view kCiphertext = "ciphertext";

// Takes a member out of an argument; an expression of the kind kMissing when it is not there.
Expression Take(Expression& argument, std::string_view name) {
  const std::size_t member = FindMember(argument, name);
  if (member != kNoMember) return std::move(argument.members[member].value);
  Expression missing;
  missing.kind = Expression::Kind::kMissing;
  return missing;
}

}  // namespace

NodePtr CallFinal(Call& call) { return call.PassOn(call.Argument(0), /*final=*/true); }

// The element of a ciphertext is the object, of a plaintext the string.
void ParseSecret(Expression& call, Expression argument, Diagnostics& diagnostics) {
  const bool ciphertext = argument.kind == Expression::Kind::kObject &&
                          argument.members.size() == 1 && argument.repeated.empty() &&
                          argument.members.front().key == kCiphertext &&
                          argument.members.front().value.kind == Expression::Kind::kString;
  if (!ciphertext && argument.kind != Expression::Kind::kString) {
    AddError(diagnostics, argument.range, argument.path, "secret values must be string literals");
    argument = Expression();
    argument.kind = Expression::Kind::kString;
  }
  call.elements.push_back(std::move(argument));
}

NodePtr CallSecret(Call& call) {
  const Expression& written = call.Written(0);
  if (written.kind == Expression::Kind::kString) {
    NodePtr plaintext = call.Argument(0);
    Node secret = *plaintext;
    secret.secret = true;
    return Seal(std::move(secret));
  }
  const auto fail = [&](const std::string& why) {
    call.Fail(why);
    return call.Unknown(/*secret=*/true);
  };
  const auto ciphertext = DecodeEnvelope(written.members.front().value.text);
  if (!ciphertext) return fail("invalid ciphertext: " + ciphertext.error().message);
  const EvalOptions& options = call.options();
  if (options.mode == EvalMode::kCheck && !options.show_secrets) {
    return call.Unknown(/*secret=*/true);
  }
  if (options.decrypter == nullptr) {
    return fail(
        "decrypting: only the service that made the ciphertext of a secret can open it; write the "
        "secret in plaintext here");
  }
  auto plaintext = options.decrypter->Decrypt(ciphertext->Reveal());
  if (!plaintext) return fail("decrypting: " + plaintext.error().message);
  return call.String(*std::move(plaintext), /*secret=*/true);
}

NodePtr CallToString(Call& call) {
  auto text = ToText(*call.Argument(0), kMaxValueSize);
  if (!text) return call.Fail("the string is longer than 16 MiB");
  if (text->unknown) return call.Unknown(text->secret);
  return call.String(std::move(text->text), text->secret);
}

void ParseValidate(Expression& call, Expression argument, Diagnostics& diagnostics) {
  const auto report = [&](const char* why) {
    AddError(diagnostics, argument.range, argument.path, why);
  };
  if (argument.kind != Expression::Kind::kObject) {
    report("the argument to fn::validate must be an object containing 'schema' and 'value'");
  } else {
    if (FindMember(argument, "schema") == kNoMember) report("missing required property 'schema'");
    if (FindMember(argument, "value") == kNoMember) report("missing required property 'value'");
  }
  call.elements.push_back(Take(argument, "schema"));
  call.elements.push_back(Take(argument, "value"));
}

// The value is handed through whether it fits or not.
NodePtr CallValidate(Call& call) {
  const auto [written, fits] = call.Argument(0, MetaSchema());
  if (written->contains_unknown || !fits) return call.PassOn(call.Argument(1), /*final=*/false);
  Result<SchemaPtr> schema = SchemaFromNode(*written);
  Status status = schema ? CompileSchema(**schema) : Status(std::unexpected(schema.error()));
  if (!status) {
    call.scope().Fail(call.Written(0), "invalid schema: " + status.error().message);
    return call.PassOn(call.Argument(1), /*final=*/false);
  }
  call.session().evaluation().schemas.push_back(*schema);
  return call.PassOn(call.Argument(1, *schema).value, /*final=*/false);
}

}  // namespace escagent::eval
