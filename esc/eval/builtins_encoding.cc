#include <utility>

#include "base/strings.h"
#include "esc/eval/builtin.h"
#include "esc/eval/call.h"
#include "esc/eval/json_reader.h"
#include "esc/json_writer.h"

namespace escagent::eval {

NodePtr CallToBase64(Call& call) {
  const NodePtr value = call.Argument();
  if (!call.RequireString(*value, call.syntax()) || value->unknown) {
    return call.Unknown(value->contains_secret);
  }
  SecretBuilder text;
  EncodeBase64(value->Text(), text);
  return call.String(text.Finish(), value->contains_secret);
}

NodePtr CallFromBase64(Call& call) {
  const NodePtr value = call.Argument();
  if (!call.RequireString(*value, call.syntax()) || value->unknown) {
    return call.Unknown(value->contains_secret);
  }
  auto bytes = DecodeBase64(value->Text());
  if (!bytes) {
    call.Fail("the string is not base64 (standard alphabet, padded)");
    return call.Unknown(value->contains_secret);
  }
  return call.String(*std::move(bytes), value->contains_secret);
}

NodePtr CallToJson(Call& call) {
  const NodePtr value = call.Argument();
  if (value->contains_unknown) return call.Unknown(value->contains_secret);
  SecretBuilder text;
  esc::WriteJson(ToValue(*value), {.indent = -1, .escape_html = true, .redact_secrets = false},
                 text);
  return call.String(text.Finish(), value->contains_secret);
}

NodePtr CallFromJson(Call& call) {
  const NodePtr value = call.Argument();
  if (!call.RequireString(*value, call.syntax()) || value->unknown) {
    return call.Unknown(value->contains_secret);
  }
  auto parsed = ReadJsonValue(value->Text(), value->contains_secret, call.range(), call.budget());
  if (!parsed) {
    call.Fail(parsed.error().message);
    return call.Unknown(value->contains_secret);
  }
  return *std::move(parsed);
}

}  // namespace escagent::eval
