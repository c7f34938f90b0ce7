#pragma once

#include <yaml-cpp/yaml.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace escagent::store {

// Reads the fields of one YAML mapping and notes what is wrong with them, so that a reader of a
// whole object reports everything at once. A field that is absent, null or of the wrong type reads
// as empty. Problems read "<path of the field>: <what is wrong>" and hold no scalar of the document
// but names. Thread-compatible; `problems` is borrowed.
class FieldReader {
 public:
  // `path` of the root is empty. Anything but a mapping (or null) is a problem.
  FieldReader(YAML::Node node, std::string path, std::vector<std::string>& problems);

  // Whether there is a mapping here.
  bool Exists() const { return exists_; }
  bool Has(std::string_view key) const;
  // Whether the field is a scalar.
  bool IsText(std::string_view key) const;

  std::string Text(std::string_view key) const;
  std::vector<std::string> TextList(std::string_view key) const;
  FieldReader Map(std::string_view key) const;
  std::vector<FieldReader> MapList(std::string_view key) const;
  // The keys and scalars of a mapping.
  std::vector<std::pair<std::string, std::string>> TextMap(std::string_view key) const;

  // Every other key is a problem, reported with the nearest allowed one: a slip in a key must not
  // silently widen what a store allows.
  void AllowOnly(std::initializer_list<std::string_view> keys) const;

  // Notes a problem of this mapping, or of one of its fields.
  void Problem(std::string_view text) const;
  void Problem(std::string_view key, std::string_view text) const;

 private:
  // The field, or a null node.
  YAML::Node Field(std::string_view key) const;
  std::string PathOf(std::string_view key) const;

  YAML::Node node_;
  bool exists_ = false;
  std::string path_;
  std::vector<std::string>* problems_;
};

}  // namespace escagent::store
