#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/mirror/push_items.h"
#include "agent/mirror/push_secret.h"
#include "agent/store/secret_store.h"
#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {

// A PushSecret podinfo/push with this spec, as the API server has it.
inline nlohmann::json PushJson(std::string_view spec) {
  nlohmann::json object = Json(R"({
      "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
      "metadata": {"namespace": "podinfo", "name": "push", "uid": "ps-uid",
                   "resourceVersion": "7", "generation": 3}})");
  object["spec"] = Json(spec);
  return object;
}

// One that pushes Secret "source" to SecretStore "app", with these further fields of the spec.
inline nlohmann::json PushJsonWith(std::string_view fields) {
  nlohmann::json object = PushJson(R"({"secretStoreRefs": [{"name": "app"}],
                                       "selector": {"secret": {"name": "source"}}})");
  object["spec"].update(Json(fields));
  return object;
}

inline PushSecret ParsePush(const nlohmann::json& object) {
  Result<PushSecret> push = ParsePushSecret(object);
  EXPECT_TRUE(push) << push.error().message;
  return push ? *std::move(push) : PushSecret();
}

inline PushSecret GoodPush(std::string_view fields) {
  PushSecret push = ParsePush(PushJsonWith(fields));
  EXPECT_EQ(push.spec_problems, std::vector<std::string>());
  return push;
}

inline const store::StoreId kAppStore{store::StoreKind::kSecretStore, "podinfo", "app"};

}  // namespace escagent::mirror
