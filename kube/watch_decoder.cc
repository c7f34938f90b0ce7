#include "kube/watch_decoder.h"

#include <array>
#include <utility>

#include "base/json.h"
#include "base/json_fields.h"
#include "kube/api_error.h"

namespace escagent::kube {
namespace {

constexpr std::array<std::pair<std::string_view, WatchEvent::Type>, 4> kTypes = {{
    {"ADDED", WatchEvent::Type::kAdded},
    {"MODIFIED", WatchEvent::Type::kModified},
    {"DELETED", WatchEvent::Type::kDeleted},
    {"BOOKMARK", WatchEvent::Type::kBookmark},
}};

std::unexpected<Error> Malformed(std::string_view action, std::string_view cause) {
  return Unavailable(std::string(action) +
                     ": the server sent what is no event: " + std::string(cause));
}

}  // namespace

bool WatchEvent::EndsInitialEvents() const {
  if (type != Type::kBookmark) return false;
  const nlohmann::json& annotations = Member(Member(object.json(), "metadata"), "annotations");
  return StringMember(annotations, "k8s.io/initial-events-end") == "true";
}

Status WatchDecoder::Feed(std::string_view bytes, std::vector<Secret>& lines) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (part_.Size() + piece.size() > max_event_) {
      return MakeError(Code::kResourceExhausted,
                       "an event is larger than " + std::to_string(max_event_) + " bytes");
    }
    part_.Append(piece);
    if (end == std::string_view::npos) return {};
    bytes.remove_prefix(end + 1);
    Secret line = part_.Finish();
    if (line.Reveal().find_first_not_of(" \t\r") != std::string_view::npos) {
      lines.push_back(std::move(line));
    }
  }
  return {};
}

Result<WatchEvent> ParseWatchEvent(const Secret& line, std::string_view action,
                                   const Resource& resource) {
  Result<nlohmann::json> document = ParseJson(line.Reveal(), "event");
  if (!document) return Malformed(action, document.error().message);
  Object whole(*std::move(document));  // wiped in the end
  const std::string type = StringMember(whole.json(), "type");
  if (!Member(whole.json(), "object").is_object()) return Malformed(action, "it has no object");
  Object object(std::move(whole.json()["object"]));
  if (type == "ERROR") return std::unexpected(StatusError(object.json(), action, resource));
  for (const auto& [name, value] : kTypes) {
    if (type != name) continue;
    if (value != WatchEvent::Type::kBookmark && object.Name().empty()) {
      return Malformed(action, "its object has no name");
    }
    return WatchEvent{value, std::move(object)};
  }
  return Malformed(action, "its type is unknown");
}

}  // namespace escagent::kube
