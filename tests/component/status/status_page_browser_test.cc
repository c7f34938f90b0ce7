// The status page in a real browser: what Chromium makes of it on a phone and on a desk. It leaves
// screenshots in build/<preset>/screenshots/.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "agent/status/http_server.h"
#include "agent/status/status_page.h"
#include "tests/unit/status/test_report.h"

namespace escagent::status {
namespace {

constexpr int kSkip = 77;

Report ManyVolumes() {
  Report report = testing::MakeReport();
  for (int i = 0; i < 12; ++i) {
    volume::VolumeStatus volume = report.volumes.front();
    volume.pod.name = "checkout-7d9f6b5c4d-" + std::to_string(10000 + i);
    volume.environment = "a-rather-long-organization/payments-and-invoices/production-europe";
    report.volumes.push_back(std::move(volume));
  }
  controller::MirrorStatus mirror;
  for (int i = 0; i < 8; ++i) {
    mirror.shards.push_back({.shard = i,
                             .holder = "node-" + std::to_string(i % 3),
                             .ours = i % 3 == 1,
                             .since = Clock::WallTime()});
  }
  mirror.external_secrets.objects = {
      .total = 1200,
      .ready = 1199,
      .failed = 1,
      .failures = {{{"shop", "db"}, "environment acme/web/dev has no property \"db.password\""}}};
  report.mirror = std::move(mirror);
  return report;
}

TEST(StatusPageBrowserTest, IsReadableOnAPhoneAndOnADesk) {
  const Report report = ManyVolumes();
  HttpServer::Options options;
  options.host = "127.0.0.1";
  options.healthy = options.ready = [] { return Status(); };
  options.metrics = options.status_json = [] { return std::string(); };
  options.status_page = [&] {
    return StatusPage(report, {{report.environments[0].key, testing::MakeHour()},
                               {report.environments[1].key, testing::MakeHour()}});
  };
  auto server = HttpServer::Start(std::move(options));
  ASSERT_TRUE(server) << server.error().ToString();
  const std::string command = std::string("python3 ") + LOOK_AT_PAGE +
                              " http://127.0.0.1:" + std::to_string((*server)->port()) + "/ " +
                              SCREENSHOT_FOLDER;
  const int status = std::system(command.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kSkip) GTEST_SKIP() << "no Chromium here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace escagent::status
