#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "agent/mirror/data_hash.h"
#include "agent/mirror/external_secret.h"
#include "agent/mirror/plain_json.h"
#include "agent/mirror/secret_data.h"
#include "base/json.h"
#include "base/strings.h"
#include "esc/value.h"

// Objects for the tests of agent/mirror.
namespace escagent::mirror {

inline nlohmann::json Json(std::string_view text) {
  Result<nlohmann::json> json = ParseJson(text, "test");
  EXPECT_TRUE(json) << text;
  return json.value_or(nlohmann::json());
}

// The value of an ordinary JSON text.
inline esc::Value ValueOf(std::string_view json) {
  Result<esc::Value> value = ParsePlainJson(json, "test");
  EXPECT_TRUE(value) << json;
  return std::move(value).value_or(esc::Value());
}

inline SecretData Data(
    std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
  SecretData data;
  for (const auto& [key, value] : entries) data.emplace(key, Secret(value));
  return data;
}

inline std::map<std::string, std::string> Plain(const SecretData& data) {
  std::map<std::string, std::string> plain;
  for (const auto& [key, value] : data) plain.emplace(key, value.Reveal());
  return plain;
}

using PlainData = std::map<std::string, std::string>;

// An ExternalSecret podinfo/app with this spec, as the API server has it.
inline nlohmann::json ObjectJson(std::string_view spec) {
  nlohmann::json object = Json(R"({
      "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
      "metadata": {"namespace": "podinfo", "name": "app", "uid": "es-uid",
                   "resourceVersion": "7", "generation": 1}})");
  object["spec"] = Json(spec);
  return object;
}

inline ExternalSecret Parse(const nlohmann::json& object) {
  Result<ExternalSecret> parsed = ParseExternalSecret(object);
  EXPECT_TRUE(parsed);
  for (const std::string& problem : parsed->spec_problems) ADD_FAILURE() << problem;
  return *std::move(parsed);
}

// With a store and one extract, and other fields of the spec on top.
inline ExternalSecret ObjectWith(std::string_view more = "{}") {
  nlohmann::json object = ObjectJson(
      R"({"secretStoreRef": {"name": "store"}, "dataFrom": [{"extract": {"key": "app"}}]})");
  object["spec"].merge_patch(Json(more));
  return Parse(object);
}

inline std::string Encode(std::string_view text) {
  SecretBuilder out;
  EncodeBase64(text, out);
  return std::string(out.Reveal());
}

}  // namespace escagent::mirror
