#include "agent/doctor/store_list.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "agent/doctor/parallel.h"
#include "agent/store/file_store_registry.h"
#include "agent/store/secret_store.h"
#include "agent/store/store_files.h"
#include "agent/store/store_object.h"
#include "agent/store/token_reader.h"
#include "agent/store/token_secret.h"

namespace escagent::doctor {
namespace {

constexpr char kNone[] = "there are none";

StoreToAsk ToAsk(const store::SecretStoreSpec& spec, const std::string& default_api_url,
                 std::string token_place, Result<store::AccessToken> token) {
  return {.name = spec.id.ToString(),
          .api_url = spec.api_url.empty() ? default_api_url : spec.api_url,
          .ref = spec.ref,
          .token_place = std::move(token_place),
          .token = std::move(token)};
}

std::string PlaceOf(const store::SecretKeyRef& ref) {
  return "Secret " + ref.namespace_name + "/" + ref.name + ", key " + ref.key;
}

// To ask ESC as this takes a token that the doctor does not read.
Finding OidcStore(const store::StoreId& id) {
  return Skipped("store " + id.ToString(),
                 "has oidcConfig; what ESC says to it is in the agent's log");
}

// All pages of one kind, in one namespace or (empty) in all.
Result<std::vector<store::StoreObject>> ReadStores(kube::Api& api, store::StoreKind kind,
                                                   const std::string& namespace_name,
                                                   std::string_view controller_class,
                                                   const kube::CallOptions& options) {
  std::vector<store::StoreObject> stores;
  kube::ListOptions list;
  list.namespace_name = namespace_name;
  do {
    ESC_ASSIGN_OR_RETURN(const kube::ListPage page,
                         api.List(store::StoreResource(kind), list, options));
    for (const kube::Object& object : page.items) {
      stores.push_back(store::ParseStoreObject(object, kind, controller_class));
    }
    list.continue_token = page.continue_token;
  } while (!list.continue_token.empty());
  return stores;
}

// Reads each token once, whatever the number of stores that name it.
std::map<store::SecretKeyRef, Result<store::AccessToken>> ReadTokens(
    kube::Api& api, const std::vector<store::StoreObject>& stores,
    const kube::CallOptions& options) {
  std::map<store::SecretKeyRef, Result<store::AccessToken>> tokens;
  for (const store::StoreObject& one : stores) {
    if (one.ours && one.problems.empty() && !one.spec.oidc) tokens.try_emplace(one.spec.token);
  }
  std::vector<decltype(tokens)::value_type*> places;
  for (auto& entry : tokens) places.push_back(&entry);
  ForEach(places.size(), [&](std::size_t i) {
    places[i]->second = store::ReadTokenSecret(api, places[i]->first, options);
  });
  return tokens;
}

}  // namespace

StoreList ListFileStores(const std::string& folder, const std::string& default_api_url) {
  StoreList list;
  // With the checks that the agent makes at its start.
  const auto loaded = store::FileStoreRegistry::Load({.directory = folder});
  if (!loaded) {
    list.findings.push_back(
        Failed("stores", loaded.error().message, "correct the files; the agent does not start"));
  }
  const auto files = store::StoreFiles::Scan(
      folder, nullptr, [](const store::SecretStoreSpec&, std::vector<std::string>&) {});
  if (!files) return list;
  const store::TokenReader reader(folder);
  for (const store::SecretStoreSpec* spec : (*files)->All()) {
    if (spec->oidc) {
      list.findings.push_back(OidcStore(spec->id));
      continue;
    }
    if (!store::TokenReader::Check(spec->token)) continue;  // told above
    list.stores.push_back(
        ToAsk(*spec, default_api_url, spec->token.name, reader.Read(spec->token)));
  }
  if (loaded && list.stores.empty()) {
    list.findings.push_back(Skipped("stores", std::string(kNone) + " in " + folder));
  }
  return list;
}

StoreList ListClusterStores(kube::Api& api, const kube::NamespaceScope& scope,
                            std::string_view controller_class, const std::string& default_api_url,
                            const kube::CallOptions& options) {
  using Kind = store::StoreKind;
  std::vector<std::pair<Kind, std::string>> places;
  for (const std::string& name : scope.names()) places.emplace_back(Kind::kSecretStore, name);
  if (scope.IsAll()) places = {{Kind::kSecretStore, ""}, {Kind::kClusterSecretStore, ""}};
  StoreList list;
  std::vector<store::StoreObject> found;
  for (const auto& [kind, name] : places) {
    auto stores = ReadStores(api, kind, name, controller_class, options);
    if (!stores) {
      list.findings.push_back(Skipped("stores", "cannot be read: " + stores.error().message));
      return list;
    }
    std::ranges::move(*stores, std::back_inserter(found));
  }
  const auto tokens = ReadTokens(api, found, options);
  int foreign = 0;
  for (const store::StoreObject& one : found) {
    if (!one.ours) {
      ++foreign;
    } else if (!one.problems.empty()) {
      list.findings.push_back(Failed("store " + one.id.ToString(), one.ProblemText(),
                                     "correct the store (kubectl edit)"));
    } else if (one.spec.oidc) {
      list.accounts.push_back(
          {.store = one.id.ToString(),
           .service_account = {one.spec.oidc->namespace_name, one.spec.oidc->service_account}});
    } else {
      list.stores.push_back(
          ToAsk(one.spec, default_api_url, PlaceOf(one.spec.token), tokens.at(one.spec.token)));
    }
  }
  if (foreign > 0) {
    list.findings.push_back(
        Skipped("stores", std::to_string(foreign) + " of another provider or controller class"));
  }
  if (found.empty()) {
    list.findings.push_back(Skipped("stores", std::string(kNone) + " in " + scope.ToString()));
  }
  return list;
}

}  // namespace escagent::doctor
