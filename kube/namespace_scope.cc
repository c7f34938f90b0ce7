#include "kube/namespace_scope.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"

namespace escagent::kube {
namespace {

constexpr std::size_t kLongestName = 63;
// Of the names in an error.
constexpr std::size_t kMaxTold = 10;

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

bool IsNamespaceName(std::string_view name) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= kLongestName && is_alphanumeric(name.front()) &&
         is_alphanumeric(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return is_alphanumeric(c) || c == '-'; });
}

Result<NamespaceScope> NamespaceScope::Parse(std::string_view list) {
  NamespaceScope scope;
  if (Trim(list).empty()) return scope;
  for (const std::string_view part : Split(list, ',')) {
    const std::string_view name = Trim(part);
    if (!IsNamespaceName(name)) {
      return InvalidArgument("\"" + std::string(name) +
                             "\" is no name of a namespace; give names like a,b, of lower-case "
                             "letters, digits and \"-\", or nothing for all namespaces");
    }
    scope.names_.emplace(name);
  }
  return scope;
}

Status NamespaceScope::Check(const std::string& namespace_name) const {
  if (Contains(namespace_name)) return {};
  return FailedPrecondition(Limits() + ", not namespace " + namespace_name);
}

std::string NamespaceScope::Limits() const {
  return "this agent serves " + ToString() + " (--watch-namespaces)";
}

std::string NamespaceScope::ToString() const {
  if (IsAll()) return "all namespaces";
  std::vector<std::string_view> told(names_.begin(), names_.end());
  const bool more = told.size() > kMaxTold;
  if (more) {
    told.resize(kMaxTold);
    told.emplace_back("...");
  }
  return (told.size() == 1 ? "namespace " : "namespaces ") + Join(told, ", ") + " only";
}

}  // namespace escagent::kube
