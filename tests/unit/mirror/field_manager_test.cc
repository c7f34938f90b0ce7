#include "agent/mirror/field_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

using ::testing::ElementsAre;

// ESO's syncBigNames: up to 63 characters in all the name is used as it is.
TEST(FieldManager, HashesLongNames) {
  EXPECT_EQ(FieldManager("app"), "externalsecrets.external-secrets.io/app");
  const std::string longest(27, 'a');
  EXPECT_EQ(FieldManager(longest), "externalsecrets.external-secrets.io/" + longest);
  EXPECT_EQ(FieldManager(longest).size(), 63U);
  const std::string longer(28, 'a');
  EXPECT_EQ(FieldManager(longer), "externalsecrets.external-secrets.io/sha3/" + Sha3Hex(longer));
}

TEST(OwnedFields, AreThoseOfAllEntriesOfTheManager) {
  const OwnedFields owned = ReadOwnedFields(Json(R"([
      {"manager": "externalsecrets.external-secrets.io/app", "operation": "Update",
       "fieldsV1": {"f:data": {".": {}, "f:a": {}},
                    "f:metadata": {"f:labels": {".": {}, "f:example.com/l": {}},
                                   "f:annotations": {"f:n": {}},
                                   "f:ownerReferences": {"k:{\"uid\":\"u\"}": {}}},
                    "f:type": {}}},
      {"manager": "kubectl", "fieldsV1": {"f:data": {"f:other": {}}}},
      {"manager": "externalsecrets.external-secrets.io/app", "operation": "Apply",
       "fieldsV1": {"f:data": {"f:b": {}}}}])"),
                                            FieldManager("app"));
  EXPECT_THAT(owned.data, ElementsAre("a", "b"));
  EXPECT_THAT(owned.labels, ElementsAre("example.com/l"));
  EXPECT_THAT(owned.annotations, ElementsAre("n"));
}

TEST(OwnedFields, OtherShapesAreNothing) {
  for (const char* text : {"null", "{}", "[1]", R"([{"manager": "m"}])",
                           R"([{"manager": "m", "fieldsV1": {"f:data": [], "f:metadata": 1}}])"}) {
    EXPECT_TRUE(ReadOwnedFields(Json(text), "m").data.empty()) << text;
  }
}

}  // namespace
}  // namespace escagent::mirror
