#include <utility>

#include "base/json.h"
#include "base/strings.h"
#include "tests/fakes/apiserver/handlers.h"

namespace escagent::apiserver {
namespace {

constexpr const char* kJson = "application/json";

std::string_view TrimSpaces(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

void SendText(httplib::Response& response, int status, std::string body) {
  response.status = status;
  response.body = std::move(body);
  response.set_header("Content-Type", kJson);
}

void SendJson(httplib::Response& response, int status, const nlohmann::json& document) {
  SendText(response, status, DumpJson(document));
}

void SendError(httplib::Response& response, const ApiError& error) {
  if (error.retry_after_seconds > 0) {
    response.set_header("Retry-After", std::to_string(error.retry_after_seconds));
  }
  SendJson(response, error.code, error.ToJson());
}

void SendObject(Context& context, int status, const Object& object) {
  std::string text;
  if (context.form == Form::kPartialMetadata) {
    object.AppendPartial(text);
  } else {
    object.Append(context.resource->ApiVersion(), text);
  }
  SendText(context.response, status, std::move(text));
}

ApiError BadRevision(const std::string& text) {
  const std::string quoted = QuoteJson(text, false);
  return BadRequest("resourceVersion: Invalid value: " + quoted + ": strconv.ParseUint: parsing " +
                    quoted + ": invalid syntax");
}

Outcome<Form> NegotiateForm(const httplib::Request& request) {
  const std::string accept = request.get_header_value("Accept");
  if (accept.empty()) return Form::kWhole;
  for (const std::string_view range : Split(accept, ',')) {
    const auto parts = Split(range, ';');
    const std::string_view type = TrimSpaces(parts.front());
    if (type != kJson && type != "*/*" && type != "application/*") continue;
    std::string_view as;
    for (const std::string_view parameter : parts) {
      if (TrimSpaces(parameter).starts_with("as=")) as = TrimSpaces(parameter).substr(3);
    }
    if (as.empty()) return Form::kWhole;
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
      return Form::kPartialMetadata;
    }
  }
  return Fail(NotAcceptable());
}

}  // namespace escagent::apiserver
