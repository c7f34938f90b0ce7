#include "agent/mirror/push_items.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "agent/mirror/key_rewrite.h"
#include "agent/mirror/secret_keys.h"
#include "agent/mirror/template_renderer.h"
#include "base/strings.h"

namespace escagent::mirror {
namespace {

void AppendUtf8(char32_t code, std::string& out) {
  const auto append = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    append(code);
  } else if (code < 0x800) {
    append(0xC0U | (code >> 6U));
    append(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    append(0xE0U | (code >> 12U));
    append(0x80U | ((code >> 6U) & 0x3FU));
    append(0x80U | (code & 0x3FU));
  } else {
    append(0xF0U | (code >> 18U));
    append(0x80U | ((code >> 12U) & 0x3FU));
    append(0x80U | ((code >> 6U) & 0x3FU));
    append(0x80U | (code & 0x3FU));
  }
}

// The member `key` of the object at a target.
PushTarget MemberOf(const PushTarget& object, const std::string& key) {
  PushTarget member = object;
  member.path.Append(key);
  esc::PropertyPath property;
  if (const auto parsed = esc::PropertyPath::Parse(object.property)) property = *parsed;
  property.Append(key);
  member.property = property.ToString();
  return member;
}

// Collects the items of one Secret after the other, a path once.
class Collector {
 public:
  Status AddEntry(const PushEntry& entry, const PushSource& source) {
    bool found = false;
    for (const auto& [key, value] : *source.data) {
      const std::string name = entry.reverse_unicode ? ReverseUnicode(key) : key;
      if (!entry.secret_key.empty() && name != entry.secret_key) continue;
      found = true;
      PushTarget target = entry.secret_key.empty() ? MemberOf(entry.target, name) : entry.target;
      ESC_RETURN_IF_ERROR(Add(source, name, entry.reverse_unicode, std::move(target), value));
    }
    if (!found && !entry.secret_key.empty()) {
      return InvalidArgument("secret key " + entry.secret_key + " does not exist in Secret " +
                             source.name);
    }
    return {};
  }

  Status AddAll(const PushAll& all, const PushSource& source) {
    const re2::RE2 regexp(all.regexp, re2::RE2::Quiet);
    for (const auto& [key, value] : *source.data) {
      const std::string name = all.reverse_unicode ? ReverseUnicode(key) : key;
      if (!re2::RE2::PartialMatch(name, regexp)) continue;
      ESC_ASSIGN_OR_RETURN(std::string rewritten, RewriteKey(all, name));
      Result<PushTarget> target = all.target ? Result<PushTarget>(MemberOf(*all.target, rewritten))
                                             : MakePushTarget(std::move(rewritten), "");
      if (!target) return std::unexpected(Annotate(target.error(), "push key " + QuoteKey(name)));
      ESC_RETURN_IF_ERROR(Add(source, name, all.reverse_unicode, *std::move(target), value));
    }
    return {};
  }

  std::vector<PushItem> Take() {
    std::vector<PushItem> items;
    items.reserve(items_.size());
    for (auto& entry : items_) items.push_back(std::move(entry.second));
    return items;
  }

 private:
  static Result<std::string> RewriteKey(const PushAll& all, const std::string& key) {
    SecretData one;
    one.emplace(key, Secret());
    ESC_ASSIGN_OR_RETURN(const SecretData rewritten, Rewrite(all.rewrite, std::move(one), {}));
    if (rewritten.empty())
      return InvalidArgument("push key " + QuoteKey(key) + ": lost by rewrite");
    return rewritten.begin()->first;
  }

  Status Add(const PushSource& source, const std::string& key, bool reverse_unicode,
             PushTarget target, const Secret& value) {
    std::string path = target.path.ToString();
    if (!IsValidUtf8(value.Reveal())) {
      return InvalidArgument("key " + QuoteKey(key) + " of Secret " + source.name +
                             " is not text, and ESC keeps text only; use a template with b64enc");
    }
    const auto known = items_.find(path);
    if (known == items_.end()) {
      items_.emplace(std::move(path), PushItem{.secret_key = key,
                                               .target = std::move(target),
                                               .reverse_unicode = reverse_unicode,
                                               .value = value.Clone()});
    } else if (!known->second.value.Equals(value)) {
      return InvalidArgument("two entries push different values to " + path + ": key " +
                             QuoteKey(known->second.secret_key) + " and key " + QuoteKey(key) +
                             " of Secret " + source.name);
    }
    return {};
  }

  std::map<std::string, PushItem> items_;  // by path
};

}  // namespace

Result<std::vector<PushItem>> PushItemsFor(const PushSecret& push, const store::StoreId& store,
                                           const store::Labels& store_labels,
                                           std::span<const PushSource> sources) {
  const auto means_store = [&](const PushStoreRef& ref) { return ref.Means(store, store_labels); };
  Collector collector;
  for (const PushSource& source : sources) {
    if (std::ranges::any_of(push.spec.stores, means_store)) {
      for (const PushEntry& entry : push.spec.data) {
        ESC_RETURN_IF_ERROR(collector.AddEntry(entry, source));
      }
    }
    for (const PushAll& all : push.spec.data_to) {
      if (means_store(all.store)) ESC_RETURN_IF_ERROR(collector.AddAll(all, source));
    }
  }
  return collector.Take();
}

Result<SecretData> ApplyPushTemplate(const SecretTemplate& rules, const SecretData& data,
                                     const TemplateSources& sources) {
  TargetSecret target;
  TemplateRenderer renderer(data, target);
  for (const TemplateFrom& from : rules.from) {
    ESC_RETURN_IF_ERROR(renderer.AddFrom(from, sources));
  }
  ESC_RETURN_IF_ERROR(renderer.AddValues(rules.data, TemplateTarget::kData));
  const bool has_data = !rules.data.empty() || !rules.from.empty();
  if (!has_data || rules.merge_policy == TemplateMergePolicy::kMerge) {
    for (const auto& [key, value] : data) target.data.try_emplace(key, value.Clone());
  }
  return std::move(target.data);
}

std::string ReverseUnicode(std::string_view key) {
  static const re2::RE2 escape("_U([0-9a-fA-F]{4,6})_");
  std::string out;
  re2::StringPiece rest(key.data(), key.size());
  re2::StringPiece match[2];
  while (escape.Match(rest, 0, rest.size(), re2::RE2::UNANCHORED, match, 2)) {
    out.append(rest.data(), match[0].data());
    std::uint32_t code = 0;
    std::from_chars(match[1].data(), match[1].data() + match[1].size(), code, 16);
    const bool character = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    if (character) {
      AppendUtf8(code, out);
    } else {
      out.append(match[0].data(), match[0].size());
    }
    rest.remove_prefix(static_cast<std::size_t>(match[0].data() + match[0].size() - rest.data()));
  }
  return out.append(rest.data(), rest.size());
}

}  // namespace escagent::mirror
