#include "esc/environment_ref.h"

#include <algorithm>
#include <cstddef>

#include "base/strings.h"

namespace escagent::esc {
namespace {

constexpr std::size_t kMinOrganization = 3;
constexpr std::size_t kMaxOrganization = 40;
constexpr std::size_t kMaxName = 100;

bool IsAlphaNumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsNameCharacter(char c) { return IsAlphaNumeric(c) || c == '-' || c == '_' || c == '.'; }

bool IsOrganization(std::string_view text) {
  return text.size() >= kMinOrganization && text.size() <= kMaxOrganization &&
         IsAlphaNumeric(text.front()) && IsAlphaNumeric(text.back()) &&
         std::ranges::all_of(text,
                             [](char c) { return IsAlphaNumeric(c) || c == '-' || c == '_'; });
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && text != "." && text != ".." &&
         std::ranges::all_of(text, IsNameCharacter);
}

}  // namespace

Result<EnvironmentRef> EnvironmentRef::Parse(std::string_view text) {
  EnvironmentRef ref;
  std::string_view names = text;
  const std::size_t at = text.find_first_of("@:");
  if (at != std::string_view::npos) {
    names = text.substr(0, at);
    ref.version = text.substr(at + 1);
    if (ref.version.empty()) {
      return InvalidArgument(
          "read environment reference: nothing follows the \"@\"; write a revision number or a "
          "tag there, or leave the \"@\" out for the latest");
    }
  }
  const std::vector<std::string_view> parts = Split(names, '/');
  if (parts.size() != 3) {
    return InvalidArgument(
        "read environment reference: expected ORGANIZATION/PROJECT/ENVIRONMENT[@VERSION]");
  }
  ref.organization = parts[0];
  ref.project = parts[1];
  ref.environment = parts[2];
  ESC_RETURN_IF_ERROR(ref.Validate("read environment reference"));
  return ref;
}

Status EnvironmentRef::Validate(std::string_view what) const {
  const auto fault = [what](std::string_view name, std::string_view rule) {
    std::string message(what);
    message.append(": the ").append(name).append(" must be ").append(rule);
    return InvalidArgument(std::move(message));
  };
  constexpr std::string_view kNameRule =
      "1 to 100 letters, digits, \"-\", \"_\" or \".\" (and neither \".\" nor \"..\")";
  if (!IsOrganization(organization)) {
    return fault("organization",
                 "3 to 40 letters, digits, \"-\" or \"_\", with a letter or digit at both ends");
  }
  if (!IsName(project)) return fault("project", kNameRule);
  if (!IsName(environment)) return fault("environment", kNameRule);
  if (!version.empty() && !IsName(version)) {
    return fault("version", "a revision number or a tag");
  }
  return {};
}

std::string EnvironmentRef::ToString() const {
  std::string text = organization + "/" + project + "/" + environment;
  if (!version.empty()) text += "@" + version;
  return text;
}

}  // namespace escagent::esc
