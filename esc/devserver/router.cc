#include "esc/devserver/router.h"

#include "base/strings.h"

namespace escagent::devserver {
namespace {

std::vector<std::string> PartsOf(std::string_view path) {
  std::vector<std::string> parts;
  for (const std::string_view part : Split(path, '/')) {
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

bool IsArgument(std::string_view part) { return part.starts_with('{'); }

bool Matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (!IsArgument(pattern[i]) && pattern[i] != path[i]) return false;
  }
  return true;
}

}  // namespace

const std::string& Request::Argument(std::string_view name) const {
  static const std::string kAbsent;
  const auto found = arguments.find(name);
  return found == arguments.end() ? kAbsent : found->second;
}

std::string Request::Environment() const {
  if (!arguments.contains("env")) return "";
  return Argument("org") + "/" + Argument("project") + "/" + Argument("env");
}

std::string Request::Parameter(const std::string& name) const {
  return http.has_param(name) ? http.get_param_value(name) : std::string();
}

void Router::Add(std::string_view method, std::string_view pattern, Handler handler) {
  routes_.push_back({.method = std::string(method),
                     .pattern = std::string(pattern),
                     .parts = PartsOf(pattern),
                     .handler = handler});
}

std::optional<Router::Match> Router::Find(std::string_view method, std::string_view path,
                                          std::string& allowed) const {
  const std::vector<std::string> parts = PartsOf(path);
  for (const Route& route : routes_) {
    if (!Matches(route.parts, parts)) continue;
    if (route.method != method) {
      allowed += (allowed.empty() ? "" : ", ") + route.method;
      continue;
    }
    Match match{
        .handler = route.handler, .route = route.method + " " + route.pattern, .arguments = {}};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::string& name = route.parts[i];
      if (IsArgument(name)) match.arguments[name.substr(1, name.size() - 2)] = parts[i];
    }
    return match;
  }
  return std::nullopt;
}

}  // namespace escagent::devserver
