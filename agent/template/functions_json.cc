#include <string>

#include "agent/template/function.h"
#include "agent/template/json_text.h"
#include "base/json.h"

// sprig's JSON functions. Those without must take what is wrong for nothing.
namespace escagent::gotemplate {
namespace {

Result<Value> MustFromJson(Call& call) {
  ESC_ASSIGN_OR_RETURN(nlohmann::json document, ParseJson(call.Text(0), "the JSON text"));
  const Value value = FromJson(document, call.heap);
  Scrub(document);
  return value;
}

Result<Value> FromJsonOrNil(Call& call) { return MustFromJson(call).value_or(Value()); }

Result<Value> MustWrite(Call& call, const JsonStyle& style) {
  if (!HasJsonForm(call[0], call.heap)) {
    return InvalidArgument("json: unsupported value: an infinity or NaN");
  }
  TextBuilder out(call.heap);
  AppendJson(call[0], style, call.heap, out);
  return out.Finish();
}

Result<Value> MustToJson(Call& call) { return MustWrite(call, {}); }
Result<Value> MustToPrettyJson(Call& call) { return MustWrite(call, {.indented = true}); }
Result<Value> ToRawJson(Call& call) { return MustWrite(call, {.escape_html = false}); }
Result<Value> ToJson(Call& call) { return MustToJson(call).value_or(Value::Text("")); }
Result<Value> ToPrettyJson(Call& call) { return MustToPrettyJson(call).value_or(Value::Text("")); }

constexpr Function kJsonFunctions[] = {
    {"fromJson", "s", FromJsonOrNil},    {"mustFromJson", "s", MustFromJson},
    {"mustToJson", "a", MustToJson},     {"mustToPrettyJson", "a", MustToPrettyJson},
    {"mustToRawJson", "a", ToRawJson},   {"toJson", "a", ToJson},
    {"toPrettyJson", "a", ToPrettyJson}, {"toRawJson", "a", ToRawJson},
};

}  // namespace

std::span<const Function> JsonFunctions() { return kJsonFunctions; }

}  // namespace escagent::gotemplate
