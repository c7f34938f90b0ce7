#include "esc/trace_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"

namespace escagent::esc {
namespace {

std::string Contributors(std::string_view json) {
  TraceReader reader(*EnvironmentRef::Parse("acme/web/dev@3"));
  EXPECT_TRUE(ParseJsonSax(json, "answer", reader));
  std::string names;
  for (const EnvironmentRef& ref : reader.Contributors()) {
    names += (names.empty() ? "" : " ") + ref.ToString();
  }
  return names;
}

TEST(TraceReader, NamesInTraces) {
  EXPECT_EQ(Contributors(R"({"properties": {
    "a": {"value": "x", "trace": {"def": {"environment": "web/base@2", "begin": {}}}},
    "b": {"value": [{"value": 1, "trace": {"def": {"environment": "plain"}}}],
          "trace": {"def": {"environment": "web/dev"},
                    "base": {"value": {}, "trace": {"def": {"environment": "other/p/e"}}}}},
    "c": {"value": 1, "trace": {"def": {"environment": "<yaml>"}}}}})"),
            "acme/default/plain acme/web/base other/p/e");
}

TEST(TraceReader, NoTraces) {
  EXPECT_EQ(Contributors(R"({"properties": {"a": {"value": "x", "trace": {}}}})"), "");
  EXPECT_EQ(Contributors("[]"), "");
}

TEST(TraceReader, ValuesThatLookLikeTraces) {
  EXPECT_EQ(Contributors(R"({"properties": {"trace": {"value": {"def": {"value":
    {"environment": {"value": "web/base"}}}}}}, "exprs": {"def": {"environment": "web/base"}}})"),
            "");
}

}  // namespace
}  // namespace escagent::esc
