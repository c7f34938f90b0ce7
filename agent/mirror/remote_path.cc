#include "agent/mirror/remote_path.h"

#include <string>
#include <utility>
#include <vector>

#include "esc/property_path.h"

namespace escagent::mirror {
namespace {

using esc::PropertyPath;
using esc::Value;

constexpr std::string_view kWildcard = "[*]";
// What one wildcard path may select: a list of lists grows with their product.
constexpr std::size_t kMaxSelected = 100'000;

// The places of "[*]" outside of quoted names.
std::vector<std::size_t> FindWildcards(std::string_view path) {
  std::vector<std::size_t> places;
  bool quoted = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (quoted && path[i] == '\\') {
      ++i;
    } else if (path[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && path.substr(i).starts_with(kWildcard)) {
      places.push_back(i);
    }
  }
  return places;
}

// The parts of a path between its wildcards; one part when there are none.
Result<std::vector<PropertyPath>> ParseParts(std::string_view path) {
  std::vector<PropertyPath> parts;
  std::size_t begin = 0;
  const auto add = [&](std::string_view text) -> Status {
    // ".field" after a wildcard; only PropertyPath knows what else a path cannot begin with.
    if (!parts.empty() && text.size() > 1 && text[0] == '.' && text[1] != '.')
      text.remove_prefix(1);
    ESC_ASSIGN_OR_RETURN(PropertyPath part, PropertyPath::Parse(text));
    parts.push_back(std::move(part));
    return {};
  };
  for (const std::size_t wildcard : FindWildcards(path)) {
    ESC_RETURN_IF_ERROR(add(path.substr(begin, wildcard - begin)));
    begin = wildcard + kWildcard.size();
  }
  ESC_RETURN_IF_ERROR(add(path.substr(begin)));
  return parts;
}

// The elements or members that a wildcard stands for.
Status Expand(const Value& value, std::vector<const Value*>& selected) {
  if (value.IsScalar()) {
    return NotFound("find property: " + std::string(kWildcard) +
                    " stands for the elements of an array or object, which is not there");
  }
  for (const Value& element : value.elements()) selected.push_back(&element);
  for (const auto& member : value.members()) selected.push_back(&member.second);
  if (selected.size() > kMaxSelected) {
    return InvalidArgument("find property: the wildcards select more than " +
                           std::to_string(kMaxSelected) + " values");
  }
  return {};
}

}  // namespace

Status CheckRemotePath(std::string_view path) {
  ESC_RETURN_IF_ERROR(ParseParts(path));
  return {};
}

Result<RemoteValue> LookupRemote(const Value& root, std::string_view path) {
  ESC_ASSIGN_OR_RETURN(const std::vector<PropertyPath> parts, ParseParts(path));
  ESC_ASSIGN_OR_RETURN(const Value* first, parts.front().Lookup(root));
  if (parts.size() == 1) return RemoteValue(first);
  std::vector<const Value*> selected = {first};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    std::vector<const Value*> elements;
    for (const Value* value : selected) ESC_RETURN_IF_ERROR(Expand(*value, elements));
    selected.clear();
    for (const Value* element : elements) {
      ESC_ASSIGN_OR_RETURN(const Value* found, parts[i].Lookup(*element));
      selected.push_back(found);
    }
  }
  Value::Array list;
  for (const Value* value : selected) list.push_back(value->Clone());
  return RemoteValue(Value::MakeArray(std::move(list)));
}

}  // namespace escagent::mirror
