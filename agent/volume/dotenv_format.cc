#include "agent/volume/dotenv_format.h"

#include <map>
#include <string>

#include "agent/volume/file_name.h"
#include "base/ascii.h"

namespace escagent::volume {
namespace {

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c);
}

std::string NameOf(const Leaf& leaf) {
  std::string name;
  for (const esc::PropertyPath::Accessor& accessor : leaf.path) {
    if (!name.empty()) name += '_';
    if (const auto* key = std::get_if<std::string>(&accessor)) {
      name += *key;
    } else {
      name += std::to_string(std::get<std::size_t>(accessor));
    }
  }
  for (char& c : name) {
    if (!IsAlphanumeric(c)) c = '_';
  }
  if (!name.empty() && IsDigit(name[0])) name.insert(0, "_");
  return name;
}

bool CanBeBare(std::string_view value) {
  for (const char c : value) {
    if (!IsAlphanumeric(c) && std::string_view("_./:@%+,=-").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

void AppendValue(std::string_view value, SecretBuilder& out) {
  if (CanBeBare(value)) {
    out.Append(value);
    return;
  }
  if (value.find('\'') == std::string_view::npos) {
    out.Append('\'');
    out.Append(value);
    out.Append('\'');
    return;
  }
  out.Append('"');
  for (const char c : value) {
    if (std::string_view("\\\"$`").find(c) != std::string_view::npos) out.Append('\\');
    out.Append(c);
  }
  out.Append('"');
}

}  // namespace

Result<Secret> RenderDotenv(const std::vector<Leaf>& leaves) {
  SecretBuilder out;
  std::map<std::string, const Leaf*> names;
  for (const Leaf& leaf : leaves) {
    const std::string path = PathBelow("", leaf.path);
    const std::string name = NameOf(leaf);
    if (name.empty()) {
      return InvalidArgument("format dotenv: the empty key cannot be the name of a variable");
    }
    if (const auto [other, added] = names.emplace(name, &leaf); !added) {
      return InvalidArgument(
          "format dotenv: " + QuoteForMessage(PathBelow("", other->second->path)) + " and " +
          QuoteForMessage(path) + " are both named " + QuoteForMessage(name));
    }
    const std::string_view value = leaf.value->ScalarText();
    if (value.find('\0') != std::string_view::npos) {
      return InvalidArgument("format dotenv: the value at " + QuoteForMessage(path) +
                             " holds a NUL character, which a variable cannot");
    }
    out.Append(name);
    out.Append('=');
    AppendValue(value, out);
    out.Append('\n');
  }
  return out.Finish();
}

}  // namespace escagent::volume
