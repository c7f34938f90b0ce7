#include "agent/mirror/push_secret.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "agent/mirror/label_selector_reader.h"
#include "agent/mirror/ready_condition.h"
#include "agent/mirror/rewrite_reader.h"
#include "agent/mirror/spec_choices.h"
#include "agent/mirror/spec_reader.h"
#include "agent/mirror/template_reader.h"
#include "base/json_fields.h"
#include "base/rfc3339.h"

namespace escagent::mirror {
namespace {

using nlohmann::json;

constexpr Choices<UpdatePolicy, 2> kUpdatePolicies = {
    {{"Replace", UpdatePolicy::kReplace}, {"IfNotExists", UpdatePolicy::kIfNotExists}}};
constexpr Choices<PushDeletionPolicy, 2> kPushDeletionPolicies = {
    {{"None", PushDeletionPolicy::kNone}, {"Delete", PushDeletionPolicy::kDelete}}};
constexpr Choices<bool, 2> kPushConversions = {{{"None", false}, {"ReverseUnicode", true}}};

PushStoreRef ReadStoreRef(const SpecReader& fields, const std::string& namespace_name) {
  PushStoreRef ref;
  ref.id.kind = fields.Choice("kind", store::StoreKind::kSecretStore, kStoreKinds);
  if (ref.id.kind == store::StoreKind::kSecretStore) ref.id.namespace_name = namespace_name;
  ref.id.name = fields.Text("name");
  if (fields.Has("labelSelector")) ref.selector = ReadLabelSelector(fields.Map("labelSelector"));
  if (ref.id.name.empty() == !ref.selector) {
    fields.Problem("must have exactly one of name, labelSelector");
  }
  return ref;
}

// Reports on `fields` what makes the two no path.
PushTarget ReadTarget(const SpecReader& fields, std::string_view key, std::string remote_key,
                      std::string property) {
  Result<PushTarget> target = MakePushTarget(std::move(remote_key), std::move(property));
  if (target) return *std::move(target);
  fields.Problem(key, target.error().message);
  return {};
}

PushEntry ReadEntry(const SpecReader& fields) {
  PushEntry entry;
  const SpecReader match = fields.Map("match");
  entry.secret_key = match.Text("secretKey");
  const SpecReader remote = match.Map("remoteRef");
  entry.target = ReadTarget(remote, "remoteKey", remote.Text("remoteKey"), remote.Text("property"));
  entry.reverse_unicode = fields.Choice("conversionStrategy", false, kPushConversions);
  return entry;
}

PushAll ReadAll(const SpecReader& fields, const std::string& namespace_name) {
  PushAll all;
  all.store = ReadStoreRef(fields.Map("storeRef"), namespace_name);
  all.regexp = fields.Map("match").Text("regexp");
  if (const re2::RE2 regexp(all.regexp, re2::RE2::Quiet); !regexp.ok()) {
    fields.Map("match").Problem("regexp", "is not a regular expression: " + regexp.error());
  }
  all.rewrite = ReadRewriteRules(fields);
  const auto is_merge = [](const RewriteRule& rule) {
    return std::holds_alternative<MergeRewrite>(rule);
  };
  if (std::ranges::any_of(all.rewrite, is_merge)) {
    fields.Problem("rewrite", "merge is not possible here; there are regexp and transform");
  }
  if (std::string key = fields.Text("remoteKey"); !key.empty()) {
    all.target = ReadTarget(fields, "remoteKey", std::move(key), "");
  }
  all.reverse_unicode = fields.Choice("conversionStrategy", false, kPushConversions);
  return all;
}

void ReadSource(const SpecReader& fields, PushSecretSpec& spec) {
  if (fields.Has("generatorRef")) {
    fields.Problem("generatorRef", "generators are not supported; push a Secret");
    return;
  }
  const SpecReader secret = fields.Map("secret");
  spec.secret_name = secret.Text("name");
  if (secret.Has("selector")) spec.secret_selector = ReadLabelSelector(secret.Map("selector"));
  if (spec.secret_name.empty() == !spec.secret_selector) {
    fields.Problem("secret", "must have exactly one of name, selector");
  }
}

PushSecretSpec ReadSpec(const SpecReader& fields, const std::string& namespace_name) {
  PushSecretSpec spec;
  if (const auto interval = fields.Duration("refreshInterval")) spec.refresh_interval = *interval;
  for (const SpecReader& ref : fields.MapList("secretStoreRefs")) {
    spec.stores.push_back(ReadStoreRef(ref, namespace_name));
  }
  if (spec.stores.empty()) fields.Problem("secretStoreRefs", "must name a store");
  spec.update_policy = fields.Choice("updatePolicy", UpdatePolicy::kReplace, kUpdatePolicies);
  spec.deletion_policy =
      fields.Choice("deletionPolicy", PushDeletionPolicy::kNone, kPushDeletionPolicies);
  ReadSource(fields.Map("selector"), spec);
  for (const SpecReader& entry : fields.MapList("data")) spec.data.push_back(ReadEntry(entry));
  for (const SpecReader& all : fields.MapList("dataTo")) {
    spec.data_to.push_back(ReadAll(all, namespace_name));
  }
  if (fields.Has("template")) spec.secret_template = ReadSecretTemplate(fields.Map("template"));
  return spec;
}

Status CheckIdentity(const json& object, const PushSecret& read) {
  if (StringMember(object, "kind") != kPushSecretKind ||
      StringMember(object, "apiVersion") != kPushSecretApiVersion) {
    return InvalidArgument("read PushSecret: the object is not one of " +
                           std::string(kPushSecretApiVersion));
  }
  if (read.namespace_name.empty() || read.name.empty() || read.uid.empty()) {
    return InvalidArgument("read PushSecret: the object has no namespace, name or uid");
  }
  return {};
}

}  // namespace

bool PushStoreRef::Means(const store::StoreId& candidate, const store::Labels& labels) const {
  if (candidate.kind != id.kind || candidate.namespace_name != id.namespace_name) return false;
  return selector ? selector->Matches(labels) : candidate.name == id.name;
}

Result<PushTarget> MakePushTarget(std::string remote_key, std::string property) {
  ESC_ASSIGN_OR_RETURN(esc::PropertyPath path, esc::PropertyPath::Parse(remote_key));
  if (path.IsRoot() || !std::holds_alternative<std::string>(path.accessors().front())) {
    return InvalidArgument("must be the path of a property below values");
  }
  ESC_ASSIGN_OR_RETURN(const esc::PropertyPath rest, esc::PropertyPath::Parse(property));
  for (const esc::PropertyPath::Accessor& accessor : rest.accessors()) path.Append(accessor);
  return PushTarget{std::move(remote_key), std::move(property), std::move(path)};
}

Result<PushSecret> ParsePushSecret(const json& object) {
  PushSecret read;
  static_cast<ObjectMeta&>(read) = ReadObjectMeta(object);
  ESC_RETURN_IF_ERROR(CheckIdentity(object, read));
  const json& spec = Member(object, "spec");
  read.spec = ReadSpec(SpecReader(spec, "spec", read.spec_problems), read.namespace_name);
  const json& status = Member(object, "status");
  read.status.conditions = ReadConditions(status);
  read.status.refresh_time = ParseRfc3339(StringMember(status, "refreshTime"));
  read.status.synced_resource_version = StringMember(status, "syncedResourceVersion");
  read.status.synced = Member(status, "syncedPushSecrets");
  return read;
}

}  // namespace escagent::mirror
