#include "esc/diagnostic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace escagent::esc {
namespace {

using nlohmann::json;
using ::testing::EndsWith;

TEST(DiagnosticTest, SaysWhere) {
  EXPECT_EQ((Diagnostic{.summary = "bad"}).ToString(), "bad");
  EXPECT_EQ((Diagnostic{.summary = "bad", .environment = "dev", .line = 3, .column = 5}).ToString(),
            "bad (environment dev, line 3, column 5)");
  EXPECT_EQ((Diagnostic{.summary = "bad", .path = "values.a[0]", .line = 3}).ToString(),
            "bad (at values.a[0], line 3, column 0)");
}

TEST(DiagnosticTest, GoesThroughJsonAndBack) {
  const std::vector<Diagnostic> diagnostics = {
      {.summary = "unknown property",
       .path = "values.a",
       .environment = "dev",
       .line = 2,
       .column = 7},
      {.severity = Diagnostic::Severity::kWarning, .summary = "odd"}};
  const json wire = DiagnosticsToJson(diagnostics);
  EXPECT_EQ(wire[0]["range"]["begin"]["line"], 2);
  EXPECT_EQ(wire[0]["range"]["end"]["column"], 7);
  EXPECT_EQ(wire[1]["severity"], "warning");
  EXPECT_FALSE(wire[1].contains("range"));
  const std::vector<Diagnostic> read = DiagnosticsFromJson(wire);
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].ToString(), diagnostics[0].ToString());
  EXPECT_EQ(read[0].severity, Diagnostic::Severity::kError);
  EXPECT_EQ(read[1].ToString(), "odd");
  EXPECT_EQ(read[1].severity, Diagnostic::Severity::kWarning);
}

TEST(DiagnosticTest, LeavesOutWhatHasAnotherShape) {
  EXPECT_TRUE(DiagnosticsFromJson(json::parse(R"({"summary": "no array"})")).empty());
  const std::vector<Diagnostic> read = DiagnosticsFromJson(json::parse(R"([
      null, "text", 1, {}, {"summary": 1}, {"summary": "kept", "severity": 1, "path": [],
      "range": {"environment": {}, "begin": {"line": "x", "column": 1.5}}},
      {"summary": "too", "range": []}, {"summary": "also", "range": {"begin": 7}}])"));
  ASSERT_EQ(read.size(), 3U);
  EXPECT_EQ(JoinDiagnostics(read), "kept; too; also");
}

TEST(DiagnosticTest, IsBounded) {
  json many = json::array();
  for (int i = 0; i < 1000; ++i) many.push_back({{"summary", std::string(10000, 's')}});
  const std::vector<Diagnostic> read = DiagnosticsFromJson(many);
  EXPECT_EQ(read.size(), kMaxDiagnostics);
  const std::string joined = JoinDiagnostics(read);
  EXPECT_LT(joined.size(), 3000U);
  EXPECT_THAT(joined, EndsWith("; and 95 more"));
  EXPECT_EQ(JoinDiagnostics({}), "");
}

}  // namespace
}  // namespace escagent::esc
