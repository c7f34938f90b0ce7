#include <optional>
#include <string>
#include <utility>

#include "base/go_base64.h"
#include "base/strings.h"
#include "esc/eval/builtin.h"
#include "esc/eval/call.h"
#include "esc/eval/go_yaml.h"
#include "esc/eval/json_fault.h"
#include "esc/eval/json_reader.h"
#include "esc/json_writer.h"

namespace escagent::eval {

NodePtr CallToBase64(Call& call) {
  const auto [value, fits] = call.Argument(0, TypeSchema("string"));
  if (!fits) return call.Unknown();
  if (value->unknown) return call.Unknown(value->contains_secret);
  SecretBuilder text;
  EncodeBase64(value->Text(), text);
  return call.String(text.Finish(), value->contains_secret);
}

NodePtr CallFromBase64(Call& call) {
  const auto [value, fits] = call.Argument(0, TypeSchema("string"));
  if (!fits) return call.Unknown();
  if (value->unknown) return call.Unknown(value->contains_secret);
  auto bytes = DecodeBase64(value->Text());
  if (!bytes) {
    call.Fail("decoding base64 string: " + DescribeBase64Fault(value->Text()));
    return call.Unknown(value->contains_secret);
  }
  return call.String(*std::move(bytes), value->contains_secret);
}

NodePtr CallToJson(Call& call) {
  const NodePtr value = call.Argument(0);
  if (value->contains_unknown) return call.Unknown(value->contains_secret);
  SecretBuilder text;
  esc::WriteJson(ToValue(*value), {.indent = -1, .escape_html = true, .redact_secrets = false},
                 text);
  return call.String(text.Finish(), value->contains_secret);
}

NodePtr CallToYaml(Call& call) {
  const NodePtr value = call.Argument(0);
  if (value->contains_unknown) return call.Unknown(value->contains_secret);
  SecretBuilder text;
  WriteGoYaml(*value, text);
  return call.String(text.Finish(), value->contains_secret);
}

NodePtr CallFromJson(Call& call) {
  const auto [value, fits] = call.Argument(0, TypeSchema("string"));
  if (!fits) return call.Unknown();
  if (value->unknown) return call.Unknown(value->contains_secret);
  auto parsed = ReadJsonValue(value->Text(), value->contains_secret, &call.cell(), call.budget());
  if (!parsed) {
    call.Fail(
        "decoding JSON string: " +
        DescribeJsonFault(value->Text(), value->contains_secret).value_or(parsed.error().message));
    return call.Unknown(value->contains_secret);
  }
  return *std::move(parsed);
}

}  // namespace escagent::eval
