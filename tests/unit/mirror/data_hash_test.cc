#include "agent/mirror/data_hash.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

// Vectors of eso-compat.md 1.4 and 1.5.
TEST(DataHash, IsThatOfGosPrintOfTheMap) {
  EXPECT_EQ(DataHash(Data({{"foo", "value1"}, {"bar", "value2"}})),
            "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64");
  EXPECT_EQ(DataHash(Data({{"hello", "world"}, {"hello-secret", "world"}})),
            "b809ba03067977ba5d2a74e289c62a30894f862ccc6c9e960a3beb0b");
  EXPECT_EQ(DataHash(SecretData()), "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");
}

TEST(DataHash, CountsEveryByteOfEveryValue) {
  EXPECT_EQ(DataHash(Data({{"a", ""}, {"b", std::string_view("\x00\xff\x0a", 3)}})),
            Sha3Hex("map[a:[] b:[0 255 10]]"));
  // Longer than any block in which it is hashed.
  std::string text = "map[k:[";
  std::string value;
  for (int i = 0; i < 10'000; ++i) {
    text += (i > 0 ? " " : "") + std::to_string(i % 256);
    value += static_cast<char>(i % 256);
  }
  EXPECT_EQ(DataHash(Data({{"k", value}})), Sha3Hex(text + "]]"));
}

TEST(CreatedByHash, IsThatOfNamespaceAndName) {
  EXPECT_EQ(CreatedByHash("podinfo", "esc-secret-store"),
            "46fca1514af4bc098925dcadc96c1397fc1819757b36d8e7c7f95716");
}

TEST(SyncedResourceVersion, IsGenerationAndHashOfMetadata) {
  ExternalSecret object;
  object.generation = 3;
  EXPECT_EQ(SyncedResourceVersion(object),
            "3-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2");
  object.annotations = {{"b", "2"}, {"a", "x y"}};
  EXPECT_EQ(SyncedResourceVersion(object),
            "3-" + Sha3Hex("{annotations:map[a:x y b:2] labels:map[]}"));
  object.labels = {{"l", "1"}};
  EXPECT_EQ(SyncedResourceVersion(object),
            "3-" + Sha3Hex("{annotations:map[a:x y b:2] labels:map[l:1]}"));
}

}  // namespace
}  // namespace escagent::mirror
