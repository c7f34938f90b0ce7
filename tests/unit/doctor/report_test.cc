#include "agent/doctor/report.h"

#include <gtest/gtest.h>

namespace escagent::doctor {
namespace {

const std::vector<Group> kGroups = {
    {"node", {Ok("kernel", "Linux 6.12"), Failed("/dev/fuse", "is no device", "give it")}},
    {"cluster", {}},
    {"Pulumi ESC",
     {Warning("proxy", "two\nlines", "more\nto do"), Skipped("stores", "there are none")}}};

TEST(DoctorReportTest, Text) {
  EXPECT_EQ(ToText(kGroups),
            "node\n"
            "  ok    kernel: Linux 6.12\n"
            "  FAIL  /dev/fuse: is no device\n"
            "        -> give it\n"
            "\n"
            "Pulumi ESC\n"
            "  warn  proxy: two\n"
            "        lines\n"
            "        -> more\n"
            "        to do\n"
            "  skip  stores: there are none\n"
            "\n"
            "1 failed, 1 to be looked at, 1 ok, 1 skipped\n");
}

TEST(DoctorReportTest, Json) {
  const nlohmann::json report = ToJson(kGroups);
  ASSERT_EQ(report["findings"].size(), 4U);
  EXPECT_EQ(report["findings"][1], nlohmann::json({{"group", "node"},
                                                   {"check", "/dev/fuse"},
                                                   {"result", "fail"},
                                                   {"finding", "is no device"},
                                                   {"advice", "give it"}}));
  EXPECT_EQ(report["summary"], nlohmann::json({{"ok", 1}, {"warn", 1}, {"fail", 1}, {"skip", 1}}));
}

TEST(DoctorReportTest, OnlyAFailureIsOne) {
  EXPECT_TRUE(doctor::HasFailure(kGroups));
  EXPECT_FALSE(doctor::HasFailure({}));
  EXPECT_FALSE(doctor::HasFailure({kGroups[2]}));
}

}  // namespace
}  // namespace escagent::doctor
