#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kube/object.h"

namespace escagent::kube {

// The entries of one or more kubeconfig files, joined: the first of a name wins. All scalars are
// strings here, whatever YAML makes of them. Thread-compatible.
class KubeconfigFiles {
 public:
  // A cluster, user or context, and the folder that relative paths in it start from.
  struct Entry {
    Object value;
    std::string folder;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  // `paths`: separated by colons. With several, those that do not exist are left out, but one must
  // be there.
  static Result<KubeconfigFiles> Read(std::string_view paths);

  // Empty when no file has one.
  const std::string& current_context() const { return current_context_; }
  const Entries& clusters() const { return clusters_; }
  const Entries& users() const { return users_; }
  const Entries& contexts() const { return contexts_; }

 private:
  Status Add(const std::string& path);

  std::string current_context_;
  Entries clusters_;
  Entries users_;
  Entries contexts_;
};

}  // namespace escagent::kube
