#include "esc/devserver/state_writer.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "esc/edit/secret_literal.h"
#include "esc/edit/splice.h"
#include "esc/edit/yaml_text.h"
#include "esc/edit/yaml_tree.h"
#include "esc/edit/yaml_writer.h"
#include "esc/value.h"

namespace escagent::devserver {
namespace {

using edit::YamlNode;
using esc::Value;
using Accessors = std::span<const esc::PropertyPath::Accessor>;

constexpr std::string_view kState = "state";
constexpr std::string_view kRotate = "fn::rotate";

struct Found {
  YamlNode* node = nullptr;  // null: there is none
  bool flow = false;         // it, or what it is in, is written in flow style
};

// ESC matches the names of the top level and of functions in any case.
YamlNode::Entry* FindEntry(YamlNode& map, std::string_view key, bool top) {
  const bool any_case = top || edit::IsCallKey(key);
  const auto found = std::ranges::find_if(map.entries, [&](const YamlNode::Entry& entry) {
    const std::string_view text = entry.key.text.Reveal();
    return any_case ? EqualsIgnoreCase(text, key) : text == key;
  });
  return found == map.entries.end() ? nullptr : &*found;
}

Found FindNode(YamlNode& root, Accessors accessors) {
  Found found{&root, root.flow};
  for (std::size_t i = 0; i < accessors.size(); ++i) {
    YamlNode& node = *found.node;
    if (const auto* key = std::get_if<std::string>(&accessors[i]); key != nullptr) {
      YamlNode::Entry* const entry = FindEntry(node, *key, /*top=*/i == 0);
      found.node = entry == nullptr ? nullptr : &entry->value;
    } else {
      const std::size_t index = std::get<std::size_t>(accessors[i]);
      found.node = index < node.elements.size() ? &node.elements[index] : nullptr;
    }
    if (found.node == nullptr) return {};
    found.flow = found.flow || found.node->flow;
  }
  return found;
}

// Writes a value as a definition spells it.
class ValueWriter {
 public:
  ValueWriter(const edit::Layout& layout, SecretBuilder& out) : layout_(layout), out_(out) {}

  // What follows the colon of a key whose map is at column `indent`.
  void WriteBlock(const Value& value, std::size_t indent) {
    if (value.kind() != Value::Kind::kObject || value.members().empty()) {
      out_.Append(' ');
      return WriteFlow(value);
    }
    indent += layout_.step;
    for (const auto& [key, member] : value.members()) {
      out_.Append(layout_.line_break);
      edit::AppendSpaces(indent, out_);
      WriteKey(key);
      WriteBlock(member, indent);
    }
  }

  void WriteFlow(const Value& value) {
    std::string_view separator;
    switch (value.kind()) {
      case Value::Kind::kNull:
        return out_.Append("null");
      case Value::Kind::kBool:
      case Value::Kind::kNumber:
        return out_.Append(value.ScalarText());
      case Value::Kind::kString:
        return edit::AppendShortest(value.ScalarText(), out_);
      case Value::Kind::kArray:
        out_.Append('[');
        for (const Value& element : value.elements()) {
          out_.Append(std::exchange(separator, ", "));
          WriteFlow(element);
        }
        return out_.Append(']');
      case Value::Kind::kObject:
        out_.Append('{');
        for (const auto& [key, member] : value.members()) {
          out_.Append(std::exchange(separator, ", "));
          WriteKey(key);
          out_.Append(' ');
          WriteFlow(member);
        }
        return out_.Append('}');
    }
  }

 private:
  void WriteKey(std::string_view key) {
    // The names of functions need no quotes.
    if (key == "fn::secret" || key == "fn::fromJSON") {
      out_.Append(key);
    } else {
      edit::AppendShortest(key, out_);
    }
    out_.Append(':');
  }

  const edit::Layout& layout_;
  SecretBuilder& out_;
};

edit::Splice ReplaceState(std::string_view text, const YamlNode& argument,
                          const YamlNode::Entry& entry, bool flow, const Value& state,
                          const edit::Layout& layout) {
  const std::size_t begin = *entry.colon + 1;
  SecretBuilder out;
  ValueWriter writer(layout, out);
  if (flow || entry.value.flow) {
    out.Append(' ');
    writer.WriteFlow(state);
  } else {
    writer.WriteBlock(state, edit::ColumnOf(text, argument.content));
  }
  return {begin, std::max(entry.value.end, begin), out.Finish()};
}

edit::Splice AddState(std::string_view text, const YamlNode& argument, bool flow,
                      const Value& state, const edit::Layout& layout) {
  SecretBuilder out;
  ValueWriter writer(layout, out);
  if (flow) {
    out.Append(kState);
    out.Append(": ");
    writer.WriteFlow(state);
    out.Append(", ");
    const std::size_t at = argument.content + 1;
    return {at, at, out.Finish()};
  }
  const std::size_t indent = edit::ColumnOf(text, argument.content);
  const std::size_t at = edit::LineEndOf(text, argument.end);
  out.Append(layout.line_break);
  edit::AppendSpaces(indent, out);
  out.Append(kState);
  out.Append(':');
  writer.WriteBlock(state, indent);
  return {at, at, out.Finish()};
}

// Puts the state that was read from the new text into the old tree, which must then say the same as
// the new one: nothing else has changed.
bool ChangedOnlyState(YamlNode old_root, YamlNode& new_root, Accessors argument) {
  YamlNode& before = *FindNode(old_root, argument).node;
  YamlNode* const after = FindNode(new_root, argument).node;
  if (after == nullptr) return false;
  const auto place = std::ranges::find_if(
      after->entries, [](const auto& entry) { return entry.key.text.Reveal() == kState; });
  if (place == after->entries.end()) return false;
  YamlNode::Entry state = std::move(*place);
  after->entries.erase(place);
  std::erase_if(before.entries,
                [](const auto& entry) { return entry.key.text.Reveal() == kState; });
  return state.value.kind == YamlNode::Kind::kMap && edit::SayTheSame(old_root, new_root);
}

}  // namespace

bool IsRotated(std::string_view definition, const esc::PropertyPath& path) {
  Result<YamlNode> root = edit::ReadYamlTree(definition);
  if (!root) return false;
  std::vector<esc::PropertyPath::Accessor> accessors = {std::string("values")};
  accessors.insert(accessors.end(), path.accessors().begin(), path.accessors().end());
  const YamlNode* const node = FindNode(*root, accessors).node;
  if (node == nullptr) return false;
  const std::string_view function = edit::CalledFunction(*node).substr(0, kRotate.size());
  return EqualsIgnoreCase(function, kRotate);
}

Result<Secret> WriteState(std::string_view definition, const eval::Rotation& rotation,
                          std::string_view evaluated) {
  ESC_ASSIGN_OR_RETURN(const esc::PropertyPath path, esc::PropertyPath::Parse(rotation.patch_path));
  const Accessors argument_path = Accessors(path.accessors()).first(path.accessors().size() - 1);
  ESC_ASSIGN_OR_RETURN(YamlNode then, edit::ReadYamlTree(evaluated));
  ESC_ASSIGN_OR_RETURN(YamlNode root, edit::ReadYamlTree(definition));
  const Found old_argument = FindNode(then, argument_path);
  const Found argument = FindNode(root, argument_path);
  const bool unchanged = old_argument.node != nullptr && argument.node != nullptr &&
                         edit::SayTheSame(*old_argument.node, *argument.node);
  if (!unchanged) {
    return FailedPrecondition("write the new state at " + rotation.path +
                              ": the definition was changed there meanwhile; rotate again");
  }
  const Value state = eval::ToDefinition(rotation.state);
  const edit::Layout layout = edit::LayoutOf(definition, root);
  const YamlNode::Entry* const entry = FindEntry(*argument.node, kState, /*top=*/false);
  const edit::Splice splice =
      entry != nullptr
          ? ReplaceState(definition, *argument.node, *entry, argument.flow, state, layout)
          : AddState(definition, *argument.node, argument.flow, state, layout);
  Secret text = edit::Apply(definition, splice);
  Result<YamlNode> written = edit::ReadYamlTree(text.Reveal());
  if (!written || !ChangedOnlyState(std::move(root), *written, argument_path)) {
    return FailedPrecondition("write the new state at " + rotation.path +
                              ": the call is written in a way that cannot be edited safely; "
                              "rewrite it in a simpler style");
  }
  return text;
}

}  // namespace escagent::devserver
