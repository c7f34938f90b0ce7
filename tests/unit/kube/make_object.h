#pragma once

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

#include "base/json.h"
#include "kube/object.h"

namespace escagent::kube {

inline Object MakeObject(std::string_view json) {
  Result<nlohmann::json> document = ParseJson(json, "test object");
  EXPECT_TRUE(document) << json;
  return Object(document ? *std::move(document) : nlohmann::json());
}

}  // namespace escagent::kube
