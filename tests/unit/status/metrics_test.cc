#include "agent/status/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/status/test_report.h"

namespace escagent::status {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(Metrics, TellsTheReport) {
  cache::CacheStats stats;
  stats.opens = 5;
  stats.open_failures = 2;
  stats.heads = 9;
  const std::string text = Metrics().Serialize(testing::MakeReport(), stats);
  EXPECT_THAT(text, HasSubstr("esc_agent_registered 1\n"));
  EXPECT_THAT(text, HasSubstr("esc_agent_volumes 2\n"));
  EXPECT_THAT(text, HasSubstr("esc_agent_volumes_abnormal 1\n"));
  EXPECT_THAT(text, HasSubstr("esc_agent_environments 2\n"));
  EXPECT_THAT(text,
              HasSubstr("esc_agent_environment_age_seconds{environment=\"acme/web/dev\"} 3\n"));
  EXPECT_THAT(text,
              HasSubstr("esc_agent_environment_failing{environment=\"acme/web/<b>&@3\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("esc_agent_esc_requests_total{operation=\"open\",outcome=\"ok\"} 3\n"));
  EXPECT_THAT(text,
              HasSubstr("esc_agent_esc_requests_total{operation=\"open\",outcome=\"error\"} 2\n"));
}

TEST(Metrics, TellsOfIdentities) {
  Report report = testing::MakeReport();
  report.tokens = {.exchanges = {.succeeded = 7, .denied = 2, .failed = 1}, .identities = 3};
  const std::string text = Metrics().Serialize(report, {});
  EXPECT_THAT(text, HasSubstr("esc_agent_token_exchanges_total{outcome=\"ok\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("esc_agent_token_exchanges_total{outcome=\"denied\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("esc_agent_token_exchanges_total{outcome=\"error\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("esc_agent_identities 3\n"));
}

TEST(Metrics, CountsRpcsInCumulativeBuckets) {
  Metrics metrics;
  metrics.CountRpc("NodePublishVolume", Code::kOk, microseconds(500));
  metrics.CountRpc("NodePublishVolume", Code::kOk, microseconds(2000));
  metrics.CountRpc("NodePublishVolume", Code::kUnavailable, seconds(60));
  const std::string text = metrics.Serialize(testing::MakeReport(), {});
  const auto has = [&](const std::string& line) { EXPECT_THAT(text, HasSubstr(line + "\n")); };
  has("esc_agent_csi_requests_total{method=\"NodePublishVolume\",code=\"OK\"} 2");
  has("esc_agent_csi_requests_total{method=\"NodePublishVolume\",code=\"UNAVAILABLE\"} 1");
  has("esc_agent_csi_request_seconds_bucket{method=\"NodePublishVolume\",le=\"0.001\"} 1");
  has("esc_agent_csi_request_seconds_bucket{method=\"NodePublishVolume\",le=\"0.0025\"} 2");
  has("esc_agent_csi_request_seconds_bucket{method=\"NodePublishVolume\",le=\"10\"} 2");
  has("esc_agent_csi_request_seconds_bucket{method=\"NodePublishVolume\",le=\"+Inf\"} 3");
  has("esc_agent_csi_request_seconds_count{method=\"NodePublishVolume\"} 3");
}

TEST(Metrics, CountsVolumeEventsByOutcome) {
  Metrics metrics;
  using Kind = volume::VolumeEvent::Kind;
  metrics.CountVolumeEvent({.kind = Kind::kRotate, .volume_id = "a", .error = {}, .duration = {}});
  metrics.CountVolumeEvent({.kind = Kind::kRotate,
                            .volume_id = "a",
                            .error = Error{Code::kNotFound, "gone", {}},
                            .duration = {}});
  const std::string text = metrics.Serialize(testing::MakeReport(), {});
  EXPECT_THAT(text,
              HasSubstr("esc_agent_volume_events_total{event=\"rotate\",outcome=\"ok\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("esc_agent_volume_events_total{event=\"rotate\",outcome=\"error\"} 1\n"));
}

TEST(Metrics, TellsOfSharing) {
  Report report = testing::MakeReport();
  EXPECT_THAT(Metrics().Serialize(report, {}), HasSubstr("esc_agent_sharing 0\n"));
  report.sharing.heads = {.targets = 5, .shared = 3, .left_out = 1};
  report.sharing.probes = {.shards_held = 1,
                           .shards_followed = 3,
                           .probes = 9,
                           .probe_failures = 2,
                           .writes = 7,
                           .write_failures = 7,
                           .age = seconds(3)};
  report.sharing.webhooks = {.accepted = 2, .wrongly_signed = 1};
  report.sharing.relay = {.told = 2, .failed = 1, .heard = 4};
  const std::string text = Metrics().Serialize(report, {});
  const auto has = [&](const std::string& line) { EXPECT_THAT(text, HasSubstr(line + "\n")); };
  has("esc_agent_sharing 1");
  has("esc_agent_probe_shards{role=\"leader\"} 1");
  has("esc_agent_probe_shards{role=\"follower\"} 3");
  has("esc_agent_probe_targets{asked_by=\"leader\"} 3");
  has("esc_agent_probe_targets{asked_by=\"agent\"} 2");
  has("esc_agent_probe_targets_left_out 1");
  has("esc_agent_probe_leader_age_seconds 3");
  has("esc_agent_probes_total{outcome=\"ok\"} 7");
  has("esc_agent_probes_total{outcome=\"error\"} 2");
  has("esc_agent_probe_writes_total{outcome=\"error\"} 7");
  has("esc_agent_webhooks_total{outcome=\"accepted\"} 2");
  has("esc_agent_webhooks_total{outcome=\"wrong_signature\"} 1");
  has("esc_agent_changes_relayed_total{direction=\"heard\"} 4");
}

}  // namespace
}  // namespace escagent::status
