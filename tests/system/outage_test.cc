#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/component/base/test_certificate.h"
#include "tests/system/esc_front.h"
#include "tests/system/process.h"
#include "tests/system/testbed.h"

// ESC that cannot be reached, or answers nonsense, with the real agent: over HTTPS, by a name. What
// is mounted, and new pods of a known environment, get the last values; the end is seen within an
// interval.

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using Mode = EscFront::Mode;

constexpr char kEnvironment[] = "acme/web/dev";
constexpr char kName[] = "esc.example.test";
constexpr char kFakeTime[] = "/usr/lib/" ARCHITECTURE "/faketime/libfaketime.so.1";
// An interval of a second and its jitter; the rest is for a busy machine.
constexpr milliseconds kRecovery{1100 + 14000};

std::string YearIn(int days) {
  const std::chrono::year_month_day date(
      std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()) +
      std::chrono::days(days));
  return std::to_string(static_cast<int>(date.year()));
}

class OutageTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { EnterPrivateMountNamespace(); }

  void SetUp() override {
    // Names are resolved by files of the test.
    SetHosts("127.0.0.1 esc.example.test\n");
    WriteAll(bed_.folder() + "/resolv.conf",
             "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    Cover(hosts_, "/etc/hosts");
    Cover(bed_.folder() + "/resolv.conf", "/etc/resolv.conf");
    bed_.WriteEnvironment(kEnvironment, "values: {app: {hello: world}}\n");
    bed_.StartDevServer();
    front_ = std::make_unique<EscFront>(bed_.esc_url());
    front_->Start(certificate_);
    WriteAll(bed_.folder() + "/ca.pem", authority_.Pem());
    bed_.WriteStoreFile("store.yaml", R"(apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: store}
spec:
  provider:
    pulumi:
      apiUrl: https://esc.example.test:)" +
                                          std::to_string(front_->port()) + R"(/api/esc
      organization: acme
      project: web
      environment: dev
      accessToken: {secretRef: {name: "file:)" +
                                          bed_.folder() + "/token\"}}\n");
  }
  void TearDown() override {
    for (const std::string& path : covered_) umount2(path.c_str(), MNT_DETACH);
  }
  void Cover(const std::string& file, const std::string& path) {
    ASSERT_EQ(mount(file.c_str(), path.c_str(), nullptr, MS_BIND, nullptr), 0) << path;
    covered_.push_back(path);
  }
  // In place: what covers /etc/hosts is this very file.
  void SetHosts(std::string_view lines) {
    std::ofstream(hosts_, std::ios::binary | std::ios::trunc) << lines;
  }
  void StartAgent(std::vector<std::string> flags = {}) {
    flags.insert(flags.end(),
                 {"--refresh-interval", "1s", "--esc-ca-file", bed_.folder() + "/ca.pem"});
    bed_.StartAgent(flags, environment_);
  }
  // The agent's time of day follows SetClock from its start on, as if somebody set the node's.
  void ControlClock() {
    if (access(kFakeTime, R_OK) != 0) GTEST_SKIP() << kFakeTime << " is not installed";
    SetClock("+0d");
    environment_ = {{"LD_PRELOAD", kFakeTime},
                    {"FAKETIME_TIMESTAMP_FILE", clock_},
                    {"FAKETIME_NO_CACHE", "1"},
                    {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}};
  }
  // The difference to the time of this machine: "+365d", "-1d".
  void SetClock(std::string_view difference) { WriteAll(clock_, difference); }
  InlineVolume Volume(const std::string& pod) const {
    return bed_.Volume(pod, {{"clusterSecretStore", "store"}, {"path", "app"}});
  }
  std::string Publish(const std::string& pod) {
    const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), Volume(pod));
    EXPECT_TRUE(target) << target.error().message;
    return target ? *target : "";
  }
  // libcurl remembers the address of a name for a minute (CURLOPT_DNS_CACHE_TIMEOUT).
  bool AwaitCondition(const std::string& pod, bool abnormal) {
    return WaitFor(
        [&] {
          const auto stats = bed_.kubelet().Stats(bed_.endpoint(), Volume(pod));
          return stats && stats->volume_condition().abnormal() == abnormal;
        },
        seconds(100));
  }

  // Values are served meanwhile, and a change made meanwhile is visible soon after.
  void Survives(const std::function<void()>& begin, const std::function<void()>& end,
                milliseconds more = milliseconds(0)) {
    StartAgent();
    const std::string first = Publish("first");
    ASSERT_EQ(ReadAll(first + "/hello"), "world");
    begin();
    ASSERT_TRUE(AwaitCondition("first", true)) << "the agent says so";
    EXPECT_EQ(ReadAll(first + "/hello"), "world");
    const std::string second = Publish("second");
    EXPECT_EQ(ReadAll(second + "/hello"), "world");
    bed_.WriteEnvironment(kEnvironment, "values: {app: {hello: back}}\n");
    end();
    const auto back = steady_clock::now();
    EXPECT_TRUE(WaitFor([&] { return ReadAll(second + "/hello") == "back"; }, seconds(60)));
    EXPECT_LE(steady_clock::now() - back, kRecovery + more);
    EXPECT_TRUE(WaitFor([&] { return ReadAll(first + "/hello") == "back"; }, seconds(20)));
    EXPECT_TRUE(AwaitCondition("first", false));
  }
  void SurvivesMode(Mode mode, milliseconds more = milliseconds(0)) {
    Survives([&] { front_->SetMode(mode); }, [&] { front_->SetMode(Mode::kPass); }, more);
  }
  void SurvivesCertificate(const TestCertificate& certificate) {
    Survives(
        [&] {
          front_->Stop();
          front_->Start(certificate);
        },
        [&] {
          front_->Stop();
          front_->Start(certificate_);
        });
  }

  Testbed bed_{ProgramFolder()};
  const std::string hosts_ = bed_.folder() + "/hosts";
  const TestCertificate authority_ = TestCertificate::Authority("Test CA");
  const TestCertificate certificate_ =
      TestCertificate::Server(authority_, std::string("DNS:") + kName);
  std::unique_ptr<EscFront> front_;
  std::vector<std::string> covered_;
  const std::string clock_ = bed_.folder() + "/clock";
  std::map<std::string, std::string> environment_;  // the agent's
};

TEST_F(OutageTest, NothingListens) {
  Survives([&] { front_->Stop(); }, [&] { front_->Start(certificate_); });
}

TEST_F(OutageTest, TheNameCannotBeResolved) {
  Survives([&] { SetHosts("127.0.0.1 another.example.test\n"); },
           [&] { SetHosts("127.0.0.1 esc.example.test\n"); });
}

TEST_F(OutageTest, ACertificateOfAnAuthorityThatNobodyKnows) {
  const TestCertificate other = TestCertificate::Authority("Another CA");
  SurvivesCertificate(TestCertificate::Server(other, std::string("DNS:") + kName));
}

TEST_F(OutageTest, ACertificateThatHasExpired) {
  SurvivesCertificate(TestCertificate::Server(authority_, std::string("DNS:") + kName, -1));
}

TEST_F(OutageTest, ServerErrors) { SurvivesMode(Mode::kError); }
TEST_F(OutageTest, TooManyRequests) { SurvivesMode(Mode::kBusy, milliseconds(2000 + 500)); }
TEST_F(OutageTest, BodiesThatEndTooSoon) { SurvivesMode(Mode::kTruncate); }
TEST_F(OutageTest, BodiesThatAreNoJson) { SurvivesMode(Mode::kGarbage); }
TEST_F(OutageTest, NoAnswer) { SurvivesMode(Mode::kHang); }

// ESC's certificate is no longer, or not yet, valid for a node whose clock is wrong.
TEST_F(OutageTest, TheClockJumpsAhead) {
  ControlClock();
  if (!IsSkipped()) Survives([&] { SetClock("+7300d"); }, [&] { SetClock("+0d"); });
}

TEST_F(OutageTest, TheClockJumpsBack) {
  ControlClock();
  if (!IsSkipped()) Survives([&] { SetClock("-7300d"); }, [&] { SetClock("+0d"); });
}

// Where no certificate is looked at, a wrong clock changes nothing: intervals and the age of values
// are not measured by it.
TEST_F(OutageTest, TheClockJumpsBackAndForthBetweenChanges) {
  ControlClock();
  if (IsSkipped()) return;
  bed_.WriteClusterStore("plain", kEnvironment);
  StartAgent({"--max-stale", "10s"});
  const InlineVolume volume =
      bed_.Volume("first", {{"clusterSecretStore", "plain"}, {"path", "app"}});
  const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), volume);
  ASSERT_TRUE(target) << target.error().message;
  for (const int days : {7300, -7300, 0}) {
    const std::string clock = (days < 0 ? "" : "+") + std::to_string(days) + "d";
    SetClock(clock);
    bed_.WriteEnvironment(kEnvironment, "values: {app: {hello: \"at " + clock + "\"}}\n");
    const auto changed = steady_clock::now();
    EXPECT_TRUE(WaitFor([&] { return ReadAll(*target + "/hello") == "at " + clock; }, seconds(60)));
    EXPECT_LE(steady_clock::now() - changed, kRecovery) << clock;
    EXPECT_THAT(bed_.agent().Err(), HasSubstr("{\"time\":\"" + YearIn(days))) << "it takes effect";
    const auto stats = bed_.kubelet().Stats(bed_.endpoint(), volume);
    ASSERT_TRUE(stats) << stats.error().message;
    EXPECT_FALSE(stats->volume_condition().abnormal()) << stats->volume_condition().message();
    const InlineVolume other =
        bed_.Volume("pod" + clock, {{"clusterSecretStore", "plain"}, {"path", "app"}});
    EXPECT_TRUE(bed_.kubelet().Publish(bed_.endpoint(), other)) << clock;
  }
}

TEST_F(OutageTest, NewPodsAreServedUntilMaxStale) {
  StartAgent({"--max-stale", "3s"});
  const std::string first = Publish("first");
  front_->Stop();
  ASSERT_TRUE(AwaitCondition("first", true));
  EXPECT_TRUE(WaitFor(
      [&] {
        const auto target = bed_.kubelet().Publish(bed_.endpoint(), Volume("late"));
        if (target) static_cast<void>(bed_.kubelet().Unpublish(bed_.endpoint(), Volume("late")));
        return !target && target.error().code == Code::kUnavailable;
      },
      seconds(30)));
  EXPECT_EQ(ReadAll(first + "/hello"), "world") << "what is mounted stays";
  front_->Start(certificate_);
  EXPECT_TRUE(AwaitCondition("first", false));
  EXPECT_EQ(ReadAll(Publish("last") + "/hello"), "world");
}

}  // namespace
}  // namespace escagent::testing
