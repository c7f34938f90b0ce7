#include "agent/status/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/status/test_report.h"

namespace escagent::status {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReportJson, TellsEnvironmentsAndVolumes) {
  const nlohmann::json json = ToJson(testing::MakeReport());
  EXPECT_EQ(json["agent"]["node"], "node-1");
  EXPECT_EQ(json["agent"]["registered"], true);
  EXPECT_EQ(json["agent"]["secretMemory"]["unlockedBytes"], 4096);
  const nlohmann::json& environment = json["environments"][0];
  EXPECT_EQ(environment["environment"], "acme/web/dev");
  EXPECT_EQ(environment["revision"], "7");
  EXPECT_EQ(environment["freshSecondsAgo"], 3.0);
  EXPECT_EQ(environment["nextRefreshSeconds"], 7.0);
  EXPECT_EQ(environment["error"], "");
  const nlohmann::json& volume = json["volumes"][0];
  EXPECT_EQ(volume["pod"], "podinfo");
  EXPECT_EQ(volume["generation"], 4);
  EXPECT_EQ(volume["condition"], "mounted");
  EXPECT_EQ(json["volumes"][1]["abnormal"], true);
}

TEST(ReportJson, LeavesOutWhatIsNotKnown) {
  const nlohmann::json json = ToJson(testing::MakeReport());
  const nlohmann::json& environment = json["environments"][1];
  EXPECT_FALSE(environment.contains("freshSecondsAgo"));
  EXPECT_FALSE(environment.contains("nextRefreshSeconds"));
  EXPECT_FALSE(environment.contains("openedAt"));
  EXPECT_EQ(environment["error"], "UNAVAILABLE: no answer");
  EXPECT_FALSE(json["volumes"][1].contains("freshSecondsAgo"));
}

TEST(ReportJson, HasNeitherValuesNorIdentities) {
  const std::string text = ToJson(testing::MakeReport()).dump();
  EXPECT_THAT(text, Not(HasSubstr("a value")));
  EXPECT_THAT(text, Not(HasSubstr("digest-of-a-token")));
}

}  // namespace
}  // namespace escagent::status
