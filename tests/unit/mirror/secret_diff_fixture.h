#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "agent/mirror/secret_diff.h"
#include "base/strings.h"
#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {

// What an ExternalSecret podinfo/app with these fields decides about its Secret.
class SecretDiffTest : public ::testing::Test {
 protected:
  using Kind = SecretAction::Kind;

  SecretAction Decide(const ExternalSecret& object, SecretData data) {
    const auto wanted = BuildTarget(object, std::move(data), {});
    EXPECT_TRUE(wanted);
    if (secret_.is_null()) return DecideWrite(object, *wanted, nullptr);
    const auto existing = ParseExistingSecret(secret_, FieldManager(object.name));
    EXPECT_TRUE(existing);
    return DecideWrite(object, *wanted, &*existing);
  }

  // The Secret as it is after the action, as an API server keeps it.
  void Apply(const SecretAction& action, const ExternalSecret& object) {
    ASSERT_TRUE(action.kind == Kind::kCreate || action.kind == Kind::kUpdate);
    secret_ = action.body.json();
    nlohmann::json& metadata = secret_["metadata"];
    metadata["uid"] = "secret-uid";
    metadata["resourceVersion"] = "100";
    nlohmann::json fields = nlohmann::json::object();
    for (const auto& [key, value] : secret_["data"].items()) fields["f:data"]["f:" + key] = {};
    for (const char* map : {"labels", "annotations"}) {
      for (const auto& [key, value] : metadata[map].items()) {
        fields["f:metadata"]["f:" + std::string(map)]["f:" + key] = {};
      }
    }
    metadata["managedFields"] = nlohmann::json::array(
        {{{"manager", FieldManager(object.name)}, {"operation", "Update"}, {"fieldsV1", fields}}});
  }

  // A Secret of somebody else.
  void SetSecret(std::string_view patch = "{}") {
    secret_ = Json(R"({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"namespace": "podinfo", "name": "app", "uid": "secret-uid",
                     "resourceVersion": "100"}})");
    secret_.merge_patch(Json(patch));
  }

  static PlainData DataOf(const SecretAction& action) {
    PlainData data;
    for (const auto& [key, value] : action.body.json().at("data").items()) {
      data[key] = DecodeBase64(value.get<std::string>())->Reveal();
    }
    return data;
  }
  static nlohmann::json MetadataOf(const SecretAction& action, const char* field) {
    return action.body.json().at("metadata").value(field, nlohmann::json());
  }

  nlohmann::json secret_;
};

}  // namespace escagent::mirror
