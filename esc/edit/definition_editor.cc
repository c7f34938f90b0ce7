#include "esc/edit/definition_editor.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/strings.h"
#include "esc/edit/document.h"
#include "esc/edit/secret_literal.h"

namespace escagent::edit {
namespace {

// Names below `values` that references look up elsewhere.
constexpr std::array<std::string_view, 3> kReservedKeys = {"imports", "context", "environments"};

Status CheckKey(std::string_view key, bool top) {
  if (key.empty()) return InvalidArgument("a key is empty");
  if (!IsValidUtf8(key)) return InvalidArgument("a key is not valid UTF-8");
  if (IsCallKey(key)) return InvalidArgument("keys that begin with \"fn::\" are function calls");
  // Below the top level ESC looks for references in keys.
  if (key.contains('$')) return InvalidArgument("keys with a \"$\" cannot be addressed");
  if (top && std::ranges::find(kReservedKeys, key) != kReservedKeys.end()) {
    return InvalidArgument("\"" + std::string(key) + "\" is reserved by ESC");
  }
  return {};
}

Status Check(const Edit& edit) {
  const auto& accessors = edit.path.accessors();
  if (accessors.empty()) return InvalidArgument("the path is empty");
  for (std::size_t i = 0; i < accessors.size(); ++i) {
    if (const auto* key = std::get_if<std::string>(&accessors[i]); key != nullptr) {
      ESC_RETURN_IF_ERROR(CheckKey(*key, i == 0));
    } else if (i == 0) {
      return InvalidArgument("a path begins with a key");
    }
  }
  if (!IsValidUtf8(edit.value.Reveal())) {
    return InvalidArgument(
        "the value is not valid UTF-8, and ESC keeps text only; push it in base64");
  }
  return {};
}

// The accessors from `first` on as keys, to be made. An element of a list cannot be.
Result<std::vector<std::string>> KeysFrom(const esc::PropertyPath& path, std::size_t first) {
  std::vector<std::string> keys;
  // The walk's depth counts `values`.
  if (first == 0) keys.emplace_back("values");
  for (std::size_t i = first == 0 ? 0 : first - 1; i < path.accessors().size(); ++i) {
    const auto* key = std::get_if<std::string>(&path.accessors()[i]);
    if (key == nullptr) {
      return FailedPrecondition("there is no list yet; only elements that exist can be set");
    }
    keys.push_back(*key);
  }
  return keys;
}

// The part of a path that led to where a walk ended, for messages.
std::string WalkedPath(const esc::PropertyPath& path, std::size_t depth) {
  if (depth == 0) return "the definition";
  if (depth == 1) return "\"values\"";
  const auto end = path.accessors().begin() + static_cast<std::ptrdiff_t>(depth - 1);
  return esc::PropertyPath({path.accessors().begin(), end}).ToString();
}

std::unexpected<Error> Blocked(const esc::PropertyPath& path, const Walk& walk) {
  return FailedPrecondition(WalkedPath(path, walk.depth) + " " + walk.why);
}

// Whether the node holds a static secret with this plaintext.
Result<bool> Holds(const YamlNode& node, const Edit& edit, Document* decrypted) {
  std::optional<SecretLiteral> literal = AsSecretLiteral(node);
  if (literal && literal->encrypted) {
    if (decrypted == nullptr) return false;
    ESC_ASSIGN_OR_RETURN(const Walk walk, decrypted->Find(edit.path));
    if (walk.end != Walk::End::kFound) return false;
    literal = AsSecretLiteral(*walk.place.node);
  }
  return literal && !literal->encrypted && literal->text->text.Equals(edit.value);
}

// Each gives whether anything changed.
Result<bool> Set(Document& document, const Edit& edit, Document* decrypted) {
  ESC_ASSIGN_OR_RETURN(const Walk walk, document.Find(edit.path));
  const std::string_view value = edit.value.Reveal();
  if (walk.end == Walk::End::kBlocked) return Blocked(edit.path, walk);
  if (walk.end == Walk::End::kFound) {
    ESC_ASSIGN_OR_RETURN(const bool fulfilled, Holds(*walk.place.node, edit, decrypted));
    if (fulfilled) return false;
    ESC_RETURN_IF_ERROR(document.Replace(walk, {}, value));
    return true;
  }
  ESC_ASSIGN_OR_RETURN(const std::vector<std::string> keys, KeysFrom(edit.path, walk.depth));
  ESC_RETURN_IF_ERROR(walk.end == Walk::End::kAbsent ? document.Add(walk, keys, value)
                                                     : document.Replace(walk, keys, value));
  return true;
}

Result<bool> Remove(Document& document, const Edit& edit) {
  ESC_ASSIGN_OR_RETURN(const Walk walk, document.Find(edit.path));
  if (walk.end != Walk::End::kFound) return false;
  if (edit.kind == Edit::Kind::kRemoveSecret && !AsSecretLiteral(*walk.place.node)) return false;
  if (walk.place.entry() == nullptr) {
    return FailedPrecondition(
        "an element of a list cannot be removed, as the others would move; remove the list");
  }
  ESC_RETURN_IF_ERROR(document.Remove(walk));
  return true;
}

Result<bool> ApplyOne(Document& document, const Edit& edit, Document* decrypted) {
  ESC_RETURN_IF_ERROR(Check(edit));
  return edit.kind == Edit::Kind::kSet ? Set(document, edit, decrypted) : Remove(document, edit);
}

std::string ActionOf(const Edit& edit) {
  return std::string(edit.kind == Edit::Kind::kSet ? "set " : "remove ") + edit.path.ToString() +
         " in the definition";
}

}  // namespace

Result<Edited> ApplyEdits(const Secret& yaml, std::span<const Edit> edits,
                          const Secret* decrypted) {
  ESC_ASSIGN_OR_RETURN(Document document, Document::Read(yaml.Clone()));
  std::optional<Document> plain;
  if (decrypted != nullptr) {
    ESC_ASSIGN_OR_RETURN(plain, Document::Read(decrypted->Clone()));
  }
  std::size_t changes = 0;
  for (const Edit& edit : edits) {
    const Result<bool> changed = ApplyOne(document, edit, plain ? &*plain : nullptr);
    if (!changed) return std::unexpected(Annotate(changed.error(), ActionOf(edit)));
    if (*changed) ++changes;
  }
  return Edited{.yaml = std::move(document).TakeText(), .changes = changes};
}

Result<bool> NeedsDecrypted(const Secret& yaml, std::span<const Edit> edits) {
  ESC_ASSIGN_OR_RETURN(Document document, Document::Read(yaml.Clone()));
  for (const Edit& edit : edits) {
    if (edit.kind != Edit::Kind::kSet) continue;
    ESC_ASSIGN_OR_RETURN(const Walk walk, document.Find(edit.path));
    if (walk.end != Walk::End::kFound) continue;
    const std::optional<SecretLiteral> literal = AsSecretLiteral(*walk.place.node);
    if (literal && literal->encrypted) return true;
  }
  return false;
}

Result<bool> Defines(const Secret& yaml, const esc::PropertyPath& path) {
  ESC_ASSIGN_OR_RETURN(const std::vector<bool> defined, Defines(yaml, std::span(&path, 1)));
  return defined.front();
}

Result<std::vector<bool>> Defines(const Secret& yaml, std::span<const esc::PropertyPath> paths) {
  ESC_ASSIGN_OR_RETURN(Document document, Document::Read(yaml.Clone()));
  std::vector<bool> defined;
  for (const esc::PropertyPath& path : paths) {
    ESC_ASSIGN_OR_RETURN(const Walk walk, document.Find(path));
    defined.push_back(walk.end == Walk::End::kFound);
  }
  return defined;
}

}  // namespace escagent::edit
