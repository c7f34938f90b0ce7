#include "agent/status/status_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "tests/unit/status/test_report.h"

namespace escagent::status {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::ptrdiff_t Count(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return std::distance(std::sregex_iterator(text.begin(), text.end(), regex), {});
}

std::string Page(const Report& report) {
  return StatusPage(report, {{report.environments[0].key, testing::MakeHour()}});
}

TEST(StatusPageTest, SaysFirstWhatNeedsAttention) {
  const std::string page = Page(testing::MakeReport());
  EXPECT_THAT(page, HasSubstr("2 things need attention"));
  EXPECT_THAT(page, HasSubstr("<li>volume of default/podinfo: nobody serves it</li>"));
  EXPECT_THAT(page, HasSubstr("<title>(2) esc-agent on node-1</title>"));
  EXPECT_LT(page.find("Needs attention"), page.find("<h2>Environments"));
  EXPECT_EQ(Count(page, "<tr class=\"bad\">"), 2);
}

TEST(StatusPageTest, AllIsWell) {
  Report report = testing::MakeReport();
  report.environments.pop_back();
  report.volumes.pop_back();
  const std::string page = Page(report);
  EXPECT_THAT(page, HasSubstr("all is well"));
  EXPECT_THAT(page, Not(HasSubstr("Needs attention")));
  report.keeper_connected = false;
  EXPECT_THAT(Page(report), HasSubstr("esc-keeper is away"));
  report.keeper_connected = true;
  report.registered = false;
  EXPECT_THAT(Page(report), HasSubstr("1 thing needs attention"));
}

TEST(StatusPageTest, EscapesNames) {
  const std::string page = Page(testing::MakeReport());
  EXPECT_THAT(page, HasSubstr("acme/web/&lt;b&gt;&amp;@3"));
  EXPECT_THAT(page, Not(HasSubstr("<b>&")));
}

TEST(StatusPageTest, HasNeitherValuesNorIdentities) {
  const std::string page = Page(testing::MakeReport());
  EXPECT_THAT(page, Not(HasSubstr("a value")));
  EXPECT_THAT(page, Not(HasSubstr("digest-of-a-token")));
}

TEST(StatusPageTest, ShowsTheHour) {
  const std::string page = Page(testing::MakeReport());
  EXPECT_THAT(page, HasSubstr("at most 10m0s old, ESC failed in 10 of the last 60 minutes"));
  // Once in the plot and once in the environment's strip.
  EXPECT_EQ(Count(page, "<i class=\"fail\""), 20);
  EXPECT_EQ(Count(page, "<i class=\"late\""), 2);
  EXPECT_EQ(Count(page, "<i class=\"none\""), 20);
  EXPECT_EQ(Count(page, "<i class=\"ok\""), 78);
  EXPECT_THAT(page, HasSubstr("style=\"height:100%\" title=\"30 min ago: 10m0s old, ESC failed\""));
}

TEST(StatusPageTest, LoadsNothing) {
  const std::string page = Page(testing::MakeReport());
  EXPECT_EQ(Count(page, "<script|<link|<img|src=|url\\(|@import"), 0);
}

TEST(StatusPageTest, LongTablesAreCutAndSayso) {
  Report report = testing::MakeReport();
  const volume::VolumeStatus abnormal = report.volumes.back();
  report.volumes.insert(report.volumes.begin(), 500, report.volumes.front());
  const std::string page = Page(report);
  EXPECT_THAT(page, HasSubstr("and 302 more: <code>esc-agent status</code>"));
  EXPECT_THAT(page, HasSubstr("<td data-title=\"Condition\">" + abnormal.condition))
      << "what is bad comes first";
}

TEST(StatusPageTest, ShowsTheMirror) {
  Report report = testing::MakeReport();
  controller::MirrorStatus mirror;
  mirror.shards = {{.shard = 0, .holder = "node-1", .ours = true, .since = Clock::WallTime()},
                   {.shard = 1, .holder = "", .ours = false, .since = {}}};
  mirror.external_secrets.objects = {
      .total = 7,
      .ready = 6,
      .failed = 1,
      .failures = {{{"shop", "db"}, "no such environment acme/web/dev"}}};
  report.mirror = mirror;
  const std::string page = Page(report);
  EXPECT_THAT(page, HasSubstr("<li>ExternalSecret shop/db: no such environment acme/web/dev</li>"));
  EXPECT_THAT(page, HasSubstr("<b>1/2</b>"));
  EXPECT_THAT(page, HasSubstr("node-1 (this)"));
  EXPECT_THAT(page, HasSubstr("nobody"));
}

}  // namespace
}  // namespace escagent::status
