#include "agent/store/secret_store.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "agent/store/field_reader.h"
#include "kube/namespace_scope.h"

namespace escagent::store {
namespace {

// eso-compat.md section 1, "Name patterns".
bool IsObjectName(const std::string& name) {
  constexpr std::size_t kLongest = 253;
  static const re2::RE2 pattern("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
  return name.size() <= kLongest && re2::RE2::FullMatch(name, pattern);
}

void ReadId(const FieldReader& object, StoreId& id) {
  const std::string version = object.Text("apiVersion");
  if (version != "external-secrets.io/v1" && version != "external-secrets.io/v1beta1") {
    object.Problem("apiVersion", "must be external-secrets.io/v1 or external-secrets.io/v1beta1");
  }
  const std::string kind = object.Text("kind");
  if (kind == "ClusterSecretStore") {
    id.kind = StoreKind::kClusterSecretStore;
  } else if (kind != "SecretStore") {
    object.Problem("kind", "must be SecretStore or ClusterSecretStore");
    return;
  }
  const FieldReader metadata = object.Map("metadata");
  id.namespace_name = metadata.Text("namespace");
  if (id.kind == StoreKind::kClusterSecretStore) {
    if (!id.namespace_name.empty()) {
      object.Problem("metadata.namespace", "a ClusterSecretStore has no namespace");
    }
    id.namespace_name.clear();
  } else {
    if (id.namespace_name.empty()) id.namespace_name = "default";
    if (!kube::IsNamespaceName(id.namespace_name)) {
      object.Problem("metadata.namespace", "is no valid name of a namespace");
    }
  }
  id.name = metadata.Text("name");
  if (id.name.empty()) {
    object.Problem("metadata.name", "is required");
  } else if (!IsObjectName(id.name)) {
    object.Problem("metadata.name",
                   "must be lower-case letters, digits, \"-\" and \".\" (RFC 1123)");
  }
}

// {file: PATH} or {env: NAME} as the name that says the same.
std::string ReadFileOrVariable(const FieldReader& fields) {
  if (fields.Has("file")) return "file:" + fields.Text("file");
  if (fields.Has("env")) return "env:" + fields.Text("env");
  return "";
}

// The field accessToken of `parent`, in any of the forms that SecretKeyRef describes.
SecretKeyRef ReadAccessToken(const FieldReader& parent) {
  if (parent.IsText("accessToken")) {
    std::string name = parent.Text("accessToken");
    if (!name.starts_with("file:") && !name.starts_with("env:")) {
      // It may be the token itself: not to be repeated.
      parent.Problem("accessToken", "must refer to the token (file:PATH, env:NAME), not hold it");
    }
    return {.name = std::move(name), .key = "", .namespace_name = ""};
  }
  const FieldReader access_token = parent.Map("accessToken");
  access_token.AllowOnly({"secretRef", "file", "env"});
  if (std::string name = ReadFileOrVariable(access_token); !name.empty()) {
    return {.name = std::move(name), .key = "", .namespace_name = ""};
  }
  const FieldReader secret_ref = access_token.Map("secretRef");
  secret_ref.AllowOnly({"name", "key", "namespace", "file", "env"});
  SecretKeyRef ref{.name = secret_ref.Text("name"),
                   .key = secret_ref.Text("key"),
                   .namespace_name = secret_ref.Text("namespace")};
  if (std::string name = ReadFileOrVariable(secret_ref); !name.empty()) {
    ref.name = std::move(name);
    ref.key.clear();
  } else if (ref.key.starts_with("file:") || ref.key.starts_with("env:")) {
    ref.name = std::exchange(ref.key, "");
  }
  if (ref.name.empty()) access_token.Problem("secretRef.name is required");
  return ref;
}

std::chrono::seconds ReadLifetime(const FieldReader& oidc) {
  constexpr int kShortest = 600;   // the CRD's, and the API server's for its tokens
  constexpr int kLongest = 90000;  // 25 h: Pulumi's longest
  if (!oidc.Has("expirationSeconds")) return std::chrono::seconds(kShortest);
  const std::string text = oidc.Text("expirationSeconds");
  int seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc{} || stop != end || seconds < kShortest || seconds > kLongest) {
    oidc.Problem("expirationSeconds", "must be a number of seconds from 600 to 90000");
    return std::chrono::seconds(kShortest);
  }
  return std::chrono::seconds(seconds);
}

// eso-compat.md 1.1; `tokenFile` is for stores in files.
OidcConfig ReadOidc(const FieldReader& oidc) {
  oidc.AllowOnly({"organization", "serviceAccountRef", "expirationSeconds", "tokenFile"});
  OidcConfig config;
  config.organization = oidc.Text("organization");
  if (config.organization.empty()) oidc.Problem("organization is required");
  config.lifetime = ReadLifetime(oidc);
  config.token_file = oidc.Text("tokenFile");
  if (oidc.Has("tokenFile") == oidc.Has("serviceAccountRef")) {
    oidc.Problem("serviceAccountRef is required, or tokenFile in a store in a file");
    return config;
  }
  if (!oidc.Has("serviceAccountRef")) return config;
  const FieldReader account = oidc.Map("serviceAccountRef");
  account.AllowOnly({"name", "namespace", "audiences"});
  config.service_account = account.Text("name");
  config.namespace_name = account.Text("namespace");
  config.audiences = account.TextList("audiences");
  if (config.service_account.empty()) account.Problem("name is required");
  return config;
}

void ReadAuth(const FieldReader& pulumi, SecretStoreSpec& spec) {
  const bool has_auth = pulumi.Has("auth");
  if (has_auth == pulumi.Has("accessToken")) {
    pulumi.Problem("Exactly one of 'auth' or deprecated 'accessToken' must be specified");
    return;
  }
  if (!has_auth) {
    spec.token = ReadAccessToken(pulumi);
    return;
  }
  const FieldReader auth = pulumi.Map("auth");
  auth.AllowOnly({"accessToken", "oidcConfig"});
  if (auth.Has("accessToken") == auth.Has("oidcConfig")) {
    auth.Problem("Exactly one of 'accessToken' or 'oidcConfig' must be specified");
    return;
  }
  if (auth.Has("oidcConfig")) {
    spec.oidc = ReadOidc(auth.Map("oidcConfig"));
  } else {
    spec.token = ReadAccessToken(auth);
  }
}

void ReadPulumi(const FieldReader& pulumi, SecretStoreSpec& spec) {
  pulumi.AllowOnly({"apiUrl", "organization", "project", "environment", "accessToken", "auth"});
  spec.api_url = pulumi.Text("apiUrl");
  while (spec.api_url.ends_with('/')) spec.api_url.pop_back();
  if (!spec.api_url.empty() && !spec.api_url.starts_with("https://") &&
      !spec.api_url.starts_with("http://")) {
    pulumi.Problem("apiUrl", "must begin with https:// (or http://)");
  }
  spec.ref.organization = pulumi.Text("organization");
  spec.ref.project = pulumi.Text("project");
  spec.ref.environment = pulumi.Text("environment");
  if (spec.ref.organization.empty()) pulumi.Problem("organization is required");
  if (spec.ref.environment.empty()) pulumi.Problem("environment is required");
  if (spec.ref.project.empty()) pulumi.Problem("project is required");
  if (!spec.ref.organization.empty() && !spec.ref.environment.empty() &&
      !spec.ref.project.empty()) {
    const Status valid = spec.ref.Validate("environment");
    if (!valid) pulumi.Problem(valid.error().message);
  }
  ReadAuth(pulumi, spec);
  const std::string& other = spec.oidc ? spec.oidc->namespace_name : spec.token.namespace_name;
  if (spec.id.kind == StoreKind::kSecretStore && !other.empty() &&
      other != spec.id.namespace_name) {
    pulumi.Problem(
        std::string(spec.oidc ? "serviceAccountRef" : "secretRef") +
        ": namespace should either be empty or match the namespace of the SecretStore for "
        "a namespaced SecretStore");
  }
}

StoreCondition ReadCondition(const FieldReader& fields) {
  fields.AllowOnly({"namespaces", "namespaceRegexes", "namespaceSelector"});
  StoreCondition condition;
  condition.namespaces = fields.TextList("namespaces");
  for (const std::string& pattern : fields.TextList("namespaceRegexes")) {
    auto regex = std::make_shared<const re2::RE2>(pattern, re2::RE2::Quiet);
    if (!regex->ok()) fields.Problem("namespaceRegexes", "not valid RE2: " + regex->error());
    condition.namespace_regexes.push_back(std::move(regex));
  }
  if (fields.Has("namespaceSelector")) {
    condition.namespace_selector = ReadLabelSelector(fields.Map("namespaceSelector"));
  }
  return condition;
}

bool ConditionAdmits(const StoreCondition& condition, std::string_view namespace_name,
                     const Labels& labels) {
  if (condition.namespace_selector && condition.namespace_selector->Matches(labels)) return true;
  if (std::ranges::find(condition.namespaces, namespace_name) != condition.namespaces.end()) {
    return true;
  }
  const re2::StringPiece text(namespace_name.data(), namespace_name.size());
  return std::ranges::any_of(condition.namespace_regexes, [&text](const auto& regex) {
    return re2::RE2::PartialMatch(text, *regex);
  });
}

}  // namespace

std::string StoreId::ToString() const {
  return kind == StoreKind::kClusterSecretStore ? "ClusterSecretStore " + name
                                                : "SecretStore " + namespace_name + "/" + name;
}

bool SecretStoreSpec::Admits(std::string_view namespace_name, const Labels& labels) const {
  return conditions.empty() ||
         std::ranges::any_of(conditions, [&](const StoreCondition& condition) {
           return ConditionAdmits(condition, namespace_name, labels);
         });
}

ParsedStore ParseSecretStore(const YAML::Node& object) {
  ParsedStore parsed;
  SecretStoreSpec& store = parsed.spec;
  const FieldReader fields(object, "", parsed.problems);
  if (!fields.Exists()) return parsed;
  ReadId(fields, store.id);
  const FieldReader spec = fields.Map("spec");
  spec.AllowOnly({"controller", "provider", "retrySettings", "refreshInterval", "conditions"});
  store.controller = spec.Text("controller");
  const FieldReader provider = spec.Map("provider");
  if (!provider.Has("pulumi")) {
    fields.Problem("spec.provider", "must be pulumi");
    return parsed;
  }
  provider.AllowOnly({"pulumi"});
  ReadPulumi(provider.Map("pulumi"), store);
  for (const FieldReader& condition : spec.MapList("conditions")) {
    store.conditions.push_back(ReadCondition(condition));
  }
  return parsed;
}

}  // namespace escagent::store
