#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fakes/apiserver/resource.h"

namespace escagent::apiserver {

// One revision of a stored object: its JSON text in the storage version, and what selectors and the
// garbage collector ask for, so that nothing has to parse the text again. Immutable; shared by the
// store, the history and the watches.
class Object {
 public:
  // `document` has apiVersion, kind and metadata with name and uid. `revision` becomes its
  // resourceVersion.
  static std::shared_ptr<const Object> Make(const Resource& resource,
                                            const nlohmann::json& document, std::uint64_t revision);

  // The same content with another resourceVersion.
  std::shared_ptr<const Object> At(std::uint64_t revision) const;

  const std::string& name_space() const { return namespace_; }
  const std::string& name() const { return name_; }
  const std::string& uid() const { return uid_; }
  std::uint64_t revision() const { return revision_; }
  const std::map<std::string, std::string, std::less<>>& labels() const { return labels_; }
  const std::vector<std::string>& owners() const { return owners_; }  // uids
  bool deleting() const { return deleting_; }
  bool has_finalizers() const { return has_finalizers_; }
  // The value of a selectable field; empty when absent.
  std::string_view Field(std::string_view path) const;

  // In the storage version.
  const std::string& text() const { return text_; }
  nlohmann::json Parse() const;
  // Appends the JSON text with apiVersion replaced.
  void Append(std::string_view api_version, std::string& out) const;
  // Appends it without apiVersion and kind, as lists of built-in kinds have their items.
  void AppendBare(std::string& out) const;
  // Appends meta.k8s.io/v1 PartialObjectMetadata.
  void AppendPartial(std::string& out) const;

 private:
  void Write(const nlohmann::json& document);

  std::string text_;
  // Places in text_: behind the apiVersion member, the kind member with its comma, the metadata,
  // and the digits of resourceVersion.
  std::size_t behind_version_ = 0;
  std::size_t kind_begin_ = 0, kind_end_ = 0;
  std::size_t metadata_begin_ = 0, metadata_end_ = 0;
  std::size_t revision_begin_ = 0, revision_size_ = 0;

  std::string namespace_, name_, uid_;
  std::uint64_t revision_ = 0;
  std::map<std::string, std::string, std::less<>> labels_;
  std::vector<std::string> owners_;
  std::vector<std::pair<std::string, std::string>> fields_;
  bool deleting_ = false;
  bool has_finalizers_ = false;
};

using ObjectPtr = std::shared_ptr<const Object>;

}  // namespace escagent::apiserver
