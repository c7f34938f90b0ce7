#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent::kube {

// Whether it can be the name of a namespace: a DNS label of RFC 1123.
bool IsNamespaceName(std::string_view name);

// Whose objects are looked at: those of all namespaces and of the cluster itself, or those of some
// namespaces only. A value.
class NamespaceScope {
 public:
  // All.
  NamespaceScope() = default;
  // "a, b": these namespaces; empty text: all. INVALID_ARGUMENT quotes what is no namespace's name.
  static Result<NamespaceScope> Parse(std::string_view list);

  bool IsAll() const { return names_.empty(); }
  bool Contains(const std::string& namespace_name) const {
    return IsAll() || names_.contains(namespace_name);
  }
  // OK, or FAILED_PRECONDITION that says which namespaces are served.
  Status Check(const std::string& namespace_name) const;
  // Empty: all.
  const std::set<std::string>& names() const { return names_; }
  // "all namespaces", "namespace a only" or "namespaces a, b only".
  std::string ToString() const;
  // "this agent serves namespaces a, b only (--watch-namespaces)", for errors.
  std::string Limits() const;

 private:
  std::set<std::string> names_;
};

}  // namespace escagent::kube
