#include "agent/mirror/key_rewrite.h"

#include <re2/re2.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "agent/mirror/merge_rewrite.h"
#include "agent/mirror/secret_keys.h"
#include "agent/template/render.h"

namespace escagent::mirror {
namespace {

// Keys are short; a target that repeats a group many times must not make them long.
constexpr std::size_t kMaxKeyBytes = 4096;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Expands a target for one match, as Go's regexp.Expand does.
class Expander {
 public:
  explicit Expander(const re2::RE2& regexp) : names_(regexp.NamedCapturingGroups()) {}

  void Expand(std::string_view target, const std::vector<re2::StringPiece>& groups,
              std::string& out) const {
    while (!target.empty()) {
      const std::size_t dollar = std::min(target.find('$'), target.size());
      out += target.substr(0, dollar);
      target.remove_prefix(dollar);
      if (target.empty()) return;
      target.remove_prefix(1);
      if (target.starts_with('$')) {
        out += '$';
        target.remove_prefix(1);
      } else if (const std::optional<std::string_view> name = TakeName(target)) {
        AppendGroup(*name, groups, out);
      } else {
        out += '$';
      }
    }
  }

 private:
  // "name" or "{name}" at the front of `text`, which it is removed from.
  static std::optional<std::string_view> TakeName(std::string_view& text) {
    const bool braced = text.starts_with('{');
    const std::string_view rest = text.substr(braced ? 1 : 0);
    std::size_t size = 0;
    while (size < rest.size() && IsNameCharacter(rest[size])) ++size;
    if (size == 0 || (braced && (size == rest.size() || rest[size] != '}'))) return std::nullopt;
    text.remove_prefix(size + (braced ? 2 : 0));
    return rest.substr(0, size);
  }

  void AppendGroup(std::string_view name, const std::vector<re2::StringPiece>& groups,
                   std::string& out) const {
    std::size_t index = groups.size();
    if (name.find_first_not_of("0123456789") == std::string_view::npos) {
      constexpr std::size_t kMaxDigits = 9;
      if (name.size() <= kMaxDigits) index = std::stoul(std::string(name));
    } else if (const auto named = names_.find(std::string(name)); named != names_.end()) {
      index = static_cast<std::size_t>(named->second);
    }
    // A group that does not exist, or did not take part, is empty.
    if (index < groups.size()) out.append(groups[index].data(), groups[index].size());
  }

  const std::map<std::string, int>& names_;
};

std::size_t CharacterSize(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) ++size;
  return size;
}

// Go's ReplaceAllString: an empty match right behind another match does not count.
Result<std::string> ReplaceAll(const re2::RE2& regexp, const Expander& expander,
                               std::string_view target, std::string_view key) {
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(regexp.NumberOfCapturingGroups()) +
                                       1);
  const re2::StringPiece text(key.data(), key.size());
  std::string out;
  std::size_t copied = 0;
  bool after_match = false;
  for (std::size_t at = 0; at <= key.size() && out.size() <= kMaxKeyBytes;) {
    if (!regexp.Match(text, at, key.size(), re2::RE2::UNANCHORED, groups.data(),
                      static_cast<int>(groups.size()))) {
      break;
    }
    const auto begin = static_cast<std::size_t>(groups[0].data() - key.data());
    const std::size_t end = begin + groups[0].size();
    out += key.substr(copied, begin - copied);
    copied = begin;
    if (end > begin || !after_match || begin > at) {
      expander.Expand(target, groups, out);
      copied = end;
    }
    after_match = end > begin;
    at = end > begin ? end : end < key.size() ? end + CharacterSize(key.substr(end)) : end + 1;
  }
  if (out.size() > kMaxKeyBytes) return InvalidArgument("a key grows too long");
  return out.append(key.substr(copied));
}

// Gives every key a new name.
template <class Rename>
Result<SecretData> RenameKeys(SecretData data, const Rename& rename) {
  SecretData renamed;
  for (auto& [key, value] : data) {
    ESC_ASSIGN_OR_RETURN(std::string name, rename(key));
    const auto existing = renamed.find(name);
    if (existing != renamed.end() && !existing->second.Equals(value)) {
      return InvalidArgument("several keys become " + QuoteKey(name) + ", the last of them " +
                             QuoteKey(key) + ", and their values differ");
    }
    renamed.insert_or_assign(std::move(name), std::move(value));
  }
  return renamed;
}

Result<SecretData> Apply(const RegexpRewrite& rule, SecretData data) {
  const re2::RE2 regexp(rule.source, re2::RE2::Quiet);
  if (!regexp.ok()) {
    return InvalidArgument("regexp failed with failed to compile: " + regexp.error());
  }
  const Expander expander(regexp);
  return RenameKeys(std::move(data), [&](const std::string& key) {
    return ReplaceAll(regexp, expander, rule.target, key);
  });
}

Result<SecretData> Apply(const TransformRewrite& rule, SecretData data) {
  return RenameKeys(std::move(data), [&](const std::string& key) -> Result<std::string> {
    const Result<Secret> name = gotemplate::Render("transform", rule.key_template, {{"value", key}},
                                                   {.max_output = kMaxKeyBytes});
    if (!name) {
      return std::unexpected(
          Annotate(name.error(),
                   "transform failed with failed to execute template for key " + QuoteKey(key)));
    }
    return std::string(name->Reveal());
  });
}

Result<SecretData> ApplyRule(const RewriteRule& rule, SecretData data, const Compat& compat) {
  if (const auto* regexp = std::get_if<RegexpRewrite>(&rule))
    return Apply(*regexp, std::move(data));
  if (const auto* transform = std::get_if<TransformRewrite>(&rule)) {
    return Apply(*transform, std::move(data));
  }
  return MergeObjects(std::get<MergeRewrite>(rule), std::move(data), compat);
}

}  // namespace

Result<SecretData> Rewrite(std::span<const RewriteRule> rules, SecretData data,
                           const Compat& compat) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    Result<SecretData> rewritten = ApplyRule(rules[i], std::move(data), compat);
    if (!rewritten) {
      return std::unexpected(Annotate(std::move(rewritten).error(),
                                      "failed rewrite operation[" + std::to_string(i) + "]"));
    }
    data = *std::move(rewritten);
  }
  return data;
}

}  // namespace escagent::mirror
