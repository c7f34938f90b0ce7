#include "esc/edit/document.h"

#include <optional>
#include <utility>

#include "base/strings.h"
#include "esc/edit/secret_literal.h"
#include "esc/edit/yaml_writer.h"

namespace escagent::edit {
namespace {

constexpr std::string_view kValues = "values";

YamlNode MakeScalar(std::string_view text, bool plain) {
  YamlNode node;
  node.kind = YamlNode::Kind::kScalar;
  node.plain = plain;
  node.text = Secret(text);
  return node;
}

YamlNode MakeMap(YamlNode key, YamlNode value) {
  YamlNode map;
  map.kind = YamlNode::Kind::kMap;
  map.entries.push_back(
      {.key = std::move(key), .value = std::move(value), .begin = 0, .colon = {}});
  return map;
}

// What AppendBlockSecret and AppendFlowSecret write.
YamlNode MakeSecret(std::span<const std::string> keys, std::string_view value) {
  YamlNode node = MakeMap(MakeScalar("fn::secret", true), MakeScalar(value, false));
  for (std::size_t i = keys.size(); i > 0; --i) {
    node = MakeMap(MakeScalar(keys[i - 1], IsPlainSafe(keys[i - 1])), std::move(node));
  }
  return node;
}

Result<std::optional<std::size_t>> FindKey(const YamlNode& map, std::string_view key,
                                           bool any_case) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < map.entries.size(); ++i) {
    const YamlNode& candidate = map.entries[i].key;
    if (candidate.kind != YamlNode::Kind::kScalar) continue;
    const std::string_view text = candidate.text.Reveal();
    if (any_case ? !EqualsIgnoreCase(text, key) : text != key) continue;
    if (found) {
      return FailedPrecondition("the key \"" + std::string(key) +
                                "\" occurs twice in the same map; remove one of them");
    }
    found = i;
  }
  return found;
}

// One step from walk.place.node. False when the walk ends there.
Result<bool> Step(Walk& walk, const esc::PropertyPath::Accessor& accessor) {
  YamlNode& node = *walk.place.node;
  const auto block = [&](std::string why) {
    walk.end = Walk::End::kBlocked;
    walk.why = std::move(why);
    return false;
  };
  const auto go = [&](std::size_t index, YamlNode& next) {
    walk.parent = std::exchange(walk.place, {.parent = &node, .index = index, .node = &next});
    ++walk.depth;
    return true;
  };
  switch (node.kind) {
    case YamlNode::Kind::kEmpty:
    case YamlNode::Kind::kNull:
      walk.end = Walk::End::kNothing;
      return false;
    case YamlNode::Kind::kScalar:
      return block("is a scalar, which has no members");
    case YamlNode::Kind::kSequence: {
      const std::size_t* index = std::get_if<std::size_t>(&accessor);
      if (index == nullptr) return block("is a list, which has no keys");
      if (*index >= node.elements.size()) {
        return block("is a list of " + std::to_string(node.elements.size()) +
                     "; only elements that exist can be addressed");
      }
      return go(*index, node.elements[*index]);
    }
    case YamlNode::Kind::kMap:
      break;
  }
  if (const std::string_view function = CalledFunction(node); !function.empty()) {
    return block("is the result of " + std::string(function) + ", which cannot be edited");
  }
  const std::string* key = std::get_if<std::string>(&accessor);
  if (key == nullptr) return block("is a map, which has no elements");
  // ESC matches the names of the top level in any case.
  ESC_ASSIGN_OR_RETURN(const std::optional<std::size_t> found,
                       FindKey(node, *key, /*any_case=*/walk.depth == 0));
  if (!found) {
    walk.end = Walk::End::kAbsent;
    return false;
  }
  return go(*found, node.entries[*found].value);
}

}  // namespace

Result<Document> Document::Read(Secret text) {
  ESC_ASSIGN_OR_RETURN(YamlNode root, ReadYamlTree(text.Reveal()));
  return Document(std::move(text), std::move(root));
}

Result<Walk> Document::Find(const esc::PropertyPath& path) {
  Walk walk;
  walk.place.node = &root_;
  ESC_ASSIGN_OR_RETURN(bool more, Step(walk, std::string(kValues)));
  for (const esc::PropertyPath::Accessor& accessor : path.accessors()) {
    if (!more) return walk;
    ESC_ASSIGN_OR_RETURN(more, Step(walk, accessor));
  }
  return walk;
}

Status Document::Replace(const Walk& walk, std::span<const std::string> keys,
                         std::string_view value) {
  ESC_ASSIGN_OR_RETURN(const Splice splice, ReplaceBySecret(text_.Reveal(), walk.place, keys, value,
                                                            LayoutOf(text_.Reveal(), root_)));
  *walk.place.node = MakeSecret(keys, value);
  return Commit(splice);
}

Status Document::Add(const Walk& walk, std::span<const std::string> keys, std::string_view value) {
  YamlNode& map = *walk.place.node;
  ESC_ASSIGN_OR_RETURN(const Splice splice, AddSecret(text_.Reveal(), map, keys, value,
                                                      LayoutOf(text_.Reveal(), root_)));
  YamlNode added = MakeSecret(keys, value);
  map.entries.push_back(std::move(added.entries.front()));
  return Commit(splice);
}

Status Document::Remove(const Walk& walk) {
  ESC_ASSIGN_OR_RETURN(const Splice splice,
                       RemoveEntry(text_.Reveal(), walk.parent, walk.place.index));
  auto& entries = walk.place.parent->entries;
  entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(walk.place.index));
  return Commit(splice);
}

Status Document::Commit(const Splice& splice) {
  Secret text = Apply(text_.Reveal(), splice);
  Result<YamlNode> root = ReadYamlTree(text.Reveal());
  if (!root || !SayTheSame(*root, root_)) {
    return FailedPrecondition(
        "the lines around it are written in a way that cannot be edited safely; rewrite them in a "
        "simpler style");
  }
  text_ = std::move(text);
  root_ = *std::move(root);
  return {};
}

}  // namespace escagent::edit
