#include "agent/mirror/secret_data.h"

#include <re2/re2.h>

#include <utility>

#include "agent/mirror/decoding.h"
#include "agent/mirror/key_rewrite.h"
#include "agent/mirror/remote_path.h"
#include "agent/mirror/secret_keys.h"
#include "esc/property_path.h"
#include "esc/text_limit.h"
#include "esc/value_kind.h"

namespace escagent::mirror {
namespace {

using esc::Value;

constexpr std::size_t kMaxPathShown = 200;

std::string ShownPath(std::string_view path) { return esc::LimitText(path, kMaxPathShown); }

// "app.db" for the member `db` of what `path` leads to.
std::string PathOfMember(std::string_view path, const std::string& key) {
  esc::PropertyPath member;
  member.Append(key);
  std::string text = member.ToString();
  if (path.empty()) return text;
  return std::string(path) + (text.starts_with('[') ? "" : ".") + text;
}

Status CheckNullBytes(NullBytePolicy policy, std::string_view key, const Secret& value) {
  if (policy == NullBytePolicy::kIgnore || value.Reveal().find('\0') == std::string_view::npos) {
    return {};
  }
  return InvalidArgument("the value of key " + QuoteKey(key) +
                         " contains a null byte, which nullBytePolicy Fail does not allow");
}

// Fetches and shapes the entries of one ExternalSecret.
class Collector {
 public:
  Collector(const ExternalSecretSpec& spec, const SourceFor& source_for, const Compat& compat)
      : spec_(spec), source_for_(source_for), compat_(compat) {}

  Result<SecretData> Collect(const DataFromEntry& entry) const {
    ESC_ASSIGN_OR_RETURN(const Value* root, source_for_(SourceOf(entry.source)));
    if (const auto* extract = std::get_if<RemoteRef>(&entry.query)) {
      ESC_ASSIGN_OR_RETURN(SecretData found, Extract(*root, *extract));
      return Shape(entry, *extract, std::move(found));
    }
    const auto& find = std::get<FindQuery>(entry.query);
    ESC_ASSIGN_OR_RETURN(SecretData found, Find(*root, find));
    return Shape(entry, find, std::move(found));
  }

  Result<Secret> Collect(const DataEntry& entry) const {
    ESC_ASSIGN_OR_RETURN(const Value* root, source_for_(SourceOf(entry.source)));
    ESC_ASSIGN_OR_RETURN(const RemoteValue found, LookupRemote(*root, entry.remote.key));
    ESC_ASSIGN_OR_RETURN(Secret value, RenderValue(found.value(), compat_,
                                                   "the property " + ShownPath(entry.remote.key)));
    auto decoded = Decode(entry.remote.decoding, std::move(value));
    if (!decoded) {
      return std::unexpected(Annotate(std::move(decoded).error(),
                                      "error applying decoding strategy " +
                                          std::string(StrategyName(entry.remote.decoding)) +
                                          " to data"));
    }
    ESC_RETURN_IF_ERROR(CheckNullBytes(entry.remote.null_bytes, entry.secret_key, *decoded));
    return decoded;
  }

 private:
  const store::StoreId& SourceOf(const std::unique_ptr<store::StoreId>& source) const {
    return source == nullptr ? spec_.store : *source;
  }

  Result<SecretData> Extract(const Value& root, const RemoteRef& remote) const {
    ESC_ASSIGN_OR_RETURN(const RemoteValue found, LookupRemote(root, remote.key));
    const Value& object = found.value();
    if (object.kind() != Value::Kind::kObject) {
      if (compat_.silent_empty_extract) return SecretData();
      return InvalidArgument("the property " + ShownPath(remote.key) + " is " +
                             std::string(esc::KindName(object)) +
                             "; extract needs an object, whose members become the keys (use data "
                             "for a single value)");
    }
    return Members(object, remote.key, nullptr);
  }

  Result<SecretData> Find(const Value& root, const FindQuery& query) const {
    if (query.has_tags) {
      return InvalidArgument(
          "error getting all secrets: tags cannot be used, as the properties of an environment "
          "have none; use name.regexp");
    }
    ESC_ASSIGN_OR_RETURN(const RemoteValue found, LookupRemote(root, query.path));
    const Value& object = found.value();
    if (object.kind() != Value::Kind::kObject) {
      return InvalidArgument("error getting all secrets: the path " + ShownPath(query.path) +
                             " is " + std::string(esc::KindName(object)) +
                             "; find looks through the keys of an object");
    }
    const re2::RE2 regexp(query.name_regexp, re2::RE2::Quiet);
    if (!regexp.ok()) {
      return InvalidArgument(
          "error getting all secrets: name.regexp is not a regular expression: " + regexp.error());
    }
    return Members(object, query.path, &regexp);
  }

  // The members of an object, those whose name matches (null: all).
  Result<SecretData> Members(const Value& object, const std::string& path,
                             const re2::RE2* regexp) const {
    SecretData data;
    for (const auto& [key, member] : object.members()) {
      if (regexp != nullptr && !re2::RE2::PartialMatch(key, *regexp)) continue;
      ESC_ASSIGN_OR_RETURN(
          Secret value,
          RenderValue(member, compat_, "the property " + ShownPath(PathOfMember(path, key))));
      data.emplace(key, std::move(value));
    }
    return data;
  }

  // What happens to the keys and values of a dataFrom entry after they were fetched.
  template <class Query>
  Result<SecretData> Shape(const DataFromEntry& entry, const Query& query, SecretData data) const {
    if (entry.rewrite.empty()) {
      ESC_ASSIGN_OR_RETURN(data, ConvertKeys(query.conversion, std::move(data)));
    } else {
      auto rewritten = Rewrite(entry.rewrite, std::move(data), compat_);
      if (!rewritten) {
        return std::unexpected(
            Annotate(std::move(rewritten).error(), "error applying rewrite to keys"));
      }
      data = *std::move(rewritten);
    }
    ESC_RETURN_IF_ERROR(ValidateKeys(data));
    for (auto& [key, value] : data) {
      auto decoded = Decode(query.decoding, std::move(value));
      if (!decoded) {
        return std::unexpected(Annotate(std::move(decoded).error(),
                                        "error applying decoding strategy " +
                                            std::string(StrategyName(query.decoding)) +
                                            " to data: failure decoding key " + QuoteKey(key)));
      }
      value = *std::move(decoded);
      ESC_RETURN_IF_ERROR(CheckNullBytes(query.null_bytes, key, value));
    }
    return data;
  }

  const ExternalSecretSpec& spec_;
  const SourceFor& source_for_;
  const Compat& compat_;
};

std::string DescribeEntry(const DataFromEntry& entry, std::size_t index) {
  const std::string where = "spec.dataFrom[" + std::to_string(index) + "]";
  if (const auto* extract = std::get_if<RemoteRef>(&entry.query)) {
    return where + ".extract (key: " + ShownPath(extract->key) + ")";
  }
  return where + ".find";
}

std::string DescribeEntry(const DataEntry& entry, std::size_t index) {
  return "spec.data[" + std::to_string(index) + "] (key: " + ShownPath(entry.remote.key) + ")";
}

// Whether a failed entry may be only left out: the property is not there, and the object says that
// this is no error.
bool MayBeMissing(const ExternalSecretSpec& spec, const Error& error) {
  return error.code == Code::kNotFound && spec.deletion_policy != DeletionPolicy::kRetain;
}

}  // namespace

Result<SecretData> CollectData(const ExternalSecretSpec& spec, const SourceFor& source_for,
                               const Compat& compat, std::vector<std::string>* missing) {
  // An environment that cannot be found is not a property that is gone: only errors of look-ups in
  // an environment that could be read may count as missing.
  bool source_failed = false;
  const SourceFor checked = [&](const store::StoreId& id) {
    Result<const Value*> source = source_for(id);
    source_failed = source_failed || !source;
    return source;
  };
  // The error of an entry, unless the entry is only left out.
  const auto check = [&](Error error, const std::string& entry) -> Status {
    if (source_failed || !MayBeMissing(spec, error)) {
      error.message = "error processing " + entry + ", err: " + error.message;
      return std::unexpected(std::move(error));
    }
    if (missing != nullptr) missing->push_back("secret does not exist at provider using " + entry);
    return {};
  };
  const Collector collector(spec, checked, compat);
  SecretData data;
  for (std::size_t i = 0; i < spec.data_from.size(); ++i) {
    Result<SecretData> found = collector.Collect(spec.data_from[i]);
    if (!found) {
      ESC_RETURN_IF_ERROR(check(std::move(found).error(), DescribeEntry(spec.data_from[i], i)));
      continue;
    }
    for (auto& [key, value] : *found) data.insert_or_assign(key, std::move(value));
  }
  for (std::size_t i = 0; i < spec.data.size(); ++i) {
    Result<Secret> found = collector.Collect(spec.data[i]);
    if (!found) {
      ESC_RETURN_IF_ERROR(check(std::move(found).error(), DescribeEntry(spec.data[i], i)));
      continue;
    }
    data.insert_or_assign(spec.data[i].secret_key, *std::move(found));
  }
  return data;
}

}  // namespace escagent::mirror
