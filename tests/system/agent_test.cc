#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/system/process.h"
#include "tests/system/testbed.h"

// The main job and its failures, with the real agent and the real dev server as child processes.

namespace escagent::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Attributes = std::map<std::string, std::string>;

class AgentTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { EnterPrivateMountNamespace(); }

  void SetUp() override {
    bed_.WriteEnvironment(
        "acme/web/dev", "values:\n  app: {hello: world, port: 8080, big: 12345678901234567890}\n");
    bed_.WriteClusterStore("store", "acme/web/dev");
    bed_.StartDevServer();
  }

  Result<std::string> Publish(const InlineVolume& volume) {
    return bed_.kubelet().Publish(bed_.endpoint(), volume);
  }
  Status Unpublish(const InlineVolume& volume) {
    return bed_.kubelet().Unpublish(bed_.endpoint(), volume);
  }

  // The publish fails with this code and text, in time, and leaves nothing behind.
  void Refused(const std::string& pod, const Attributes& attributes, Code code,
               const std::string& text) {
    SCOPED_TRACE(pod);
    const InlineVolume volume = bed_.Volume(pod, attributes);
    const auto start = steady_clock::now();
    const Result<std::string> target = Publish(volume);
    ASSERT_FALSE(target);
    EXPECT_EQ(CodeName(target.error().code), CodeName(code)) << target.error().message;
    EXPECT_THAT(target.error().message, HasSubstr(text));
    EXPECT_LT(steady_clock::now() - start, seconds(10));
    EXPECT_FALSE(fs::exists(bed_.kubelet().TargetPath(volume)));
    EXPECT_THAT(MountsBelow(bed_.folder()), IsEmpty());
  }

  Testbed bed_{ProgramFolder()};
};

TEST_F(AgentTest, PublishesRotatesAndUnpublishes) {
  bed_.StartAgent({"--refresh-interval", "1s"});
  ASSERT_TRUE(bed_.kubelet().Register(bed_.registry(), seconds(20)));
  const InlineVolume volume =
      bed_.Volume("podinfo", {{"clusterSecretStore", "store"}, {"path", "app"}});
  const Result<std::string> target = Publish(volume);
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(ReadAll(*target + "/hello"), "world");
  EXPECT_EQ(ReadAll(*target + "/big"), "12345678901234567890");

  bed_.WriteEnvironment("acme/web/dev", "values: {app: {hello: new}}\n");
  EXPECT_TRUE(WaitFor([&] { return ReadAll(*target + "/hello") == "new"; }, seconds(20)));
  EXPECT_FALSE(fs::exists(*target + "/big"));

  EXPECT_TRUE(Unpublish(volume));
  EXPECT_FALSE(fs::exists(*target));
  EXPECT_THAT(MountsBelow(bed_.folder()), IsEmpty());
  EXPECT_EQ(bed_.StopAgent(), 0);
}

TEST_F(AgentTest, RefusesBadInputWithTheCauseAndLeavesNothingBehind) {
  bed_.WriteStoreFile("restricted.yaml",
                      "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: "
                      "{name: restricted}\nspec: {conditions: [{namespaces: [other]}], provider: "
                      "{pulumi: {organization: acme, project: web, environment: dev, accessToken: "
                      "{secretRef: {name: \"file:" +
                          bed_.folder() + "/token\"}}}}}\n");
  bed_.WriteClusterStore("missing", "acme/web/missing");
  bed_.StartAgent();
  const auto with = [](Attributes more) {
    more["clusterSecretStore"] = "store";
    return more;
  };
  Refused("unknown", with({{"formt", "json"}}), Code::kInvalidArgument, "format");
  Refused("format", with({{"format", "xml"}}), Code::kInvalidArgument, "files, json");
  Refused("mode", with({{"mode", "0999"}}), Code::kInvalidArgument, "mode");
  Refused("path", with({{"path", "app["}}), Code::kInvalidArgument, "path");
  Refused("items", with({{"items", "- {path: app.hello, file: ../x}"}}), Code::kInvalidArgument,
          "items");
  Refused("no-store", {}, Code::kInvalidArgument, "secretStore");
  Refused("no-such-store", {{"clusterSecretStore", "stor"}}, Code::kNotFound, "store");
  Refused("restricted", {{"clusterSecretStore", "restricted"}}, Code::kPermissionDenied,
          "denied by spec.condition");
  Refused("no-such-path", with({{"path", "app.helo"}}), Code::kNotFound, "hello");
  Refused("no-such-environment", {{"clusterSecretStore", "missing"}}, Code::kNotFound,
          "acme/web/missing");
  Refused("backend", with({{"backend", "disk"}}), Code::kInvalidArgument, "backend");
}

TEST_F(AgentTest, TmpfsVolumesRotateAndGo) {
  bed_.StartAgent({"--refresh-interval", "1s"});
  const InlineVolume volume = bed_.Volume(
      "podinfo", {{"clusterSecretStore", "store"}, {"path", "app"}, {"backend", "tmpfs"}});
  const Result<std::string> target = Publish(volume);
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(ReadAll(*target + "/hello"), "world");
  bed_.WriteEnvironment("acme/web/dev", "values: {app: {hello: new}}\n");
  EXPECT_TRUE(WaitFor([&] { return ReadAll(*target + "/hello") == "new"; }, seconds(20)));
  EXPECT_TRUE(Unpublish(volume));
  EXPECT_FALSE(fs::exists(*target));
  EXPECT_THAT(MountsBelow(bed_.folder()), IsEmpty());
}

TEST_F(AgentTest, TellsWhatEscRefused) {
  bed_.StartAgent();
  const Attributes attributes = {{"clusterSecretStore", "store"}};
  bed_.Debug("PUT", "/debug/faults", R"({"status": 401})");
  Refused("unauthenticated", attributes, Code::kUnauthenticated, "token");
  bed_.Debug("PUT", "/debug/faults", R"({"status": 403})");
  Refused("forbidden", attributes, Code::kPermissionDenied, "acme/web/dev");
  bed_.Debug("PUT", "/debug/faults", R"({"status": 500})");
  Refused("broken", attributes, Code::kUnavailable, "acme/web/dev");
  bed_.Debug("PUT", "/debug/faults", R"({"truncate": true})");
  Refused("truncated", attributes, Code::kUnavailable, "acme/web/dev");
  bed_.Debug("DELETE", "/debug/faults");
  // An old server's shapes are read like any other's.
  bed_.Debug("PUT", "/debug/faults", R"({"oldServer": true})");
  const Result<std::string> target = Publish(bed_.Volume("old", attributes));
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(ReadAll(*target + "/app/hello"), "world");
}

TEST_F(AgentTest, EscThatHangsIsUnavailableWithinTenSeconds) {
  bed_.StartAgent();
  bed_.Debug("PUT", "/debug/faults", R"({"hang": true})");
  Refused("hanging", {{"clusterSecretStore", "store"}}, Code::kUnavailable, "acme/web/dev");
}

TEST_F(AgentTest, AnEnvironmentThatHangsHoldsUpNoOther) {
  bed_.WriteEnvironment("acme/web/hangs", "values: {key: never}\n");
  bed_.WriteClusterStore("hangs", "acme/web/hangs");
  bed_.StartAgent();
  const Attributes warm = {{"clusterSecretStore", "store"}};
  ASSERT_TRUE(Publish(bed_.Volume("first", warm)));
  const std::size_t mounts = MountsBelow(bed_.folder()).size();
  bed_.Debug("PUT", "/debug/faults", R"({"environment": "acme/web/hangs", "hang": true})");

  // Three times as many as the agent has threads for publishes.
  constexpr std::size_t kWaiting = 12;
  std::vector<InlineVolume> volumes;
  for (std::size_t i = 0; i < kWaiting; ++i) {
    volumes.push_back(bed_.Volume("hangs-" + std::to_string(i), {{"clusterSecretStore", "hangs"}}));
  }
  std::vector<Result<std::string>> answers(kWaiting);
  std::vector<steady_clock::duration> took(kWaiting);
  std::atomic<int> answered = 0;
  {
    std::vector<std::jthread> pods;
    for (std::size_t i = 0; i < kWaiting; ++i) {
      pods.emplace_back([&, i] {
        const auto start = steady_clock::now();
        answers[i] = Publish(volumes[i]);
        took[i] = steady_clock::now() - start;
        ++answered;
      });
    }
    // kubelet's stand-in makes a volume's folder right before it calls.
    ASSERT_TRUE(WaitFor(
        [&] {
          return std::ranges::all_of(volumes, [&](const InlineVolume& volume) {
            return fs::exists(fs::path(bed_.kubelet().TargetPath(volume)).parent_path());
          });
        },
        seconds(20)));
    const auto start = steady_clock::now();
    const Result<std::string> second = Publish(bed_.Volume("second", warm));
    EXPECT_LT(steady_clock::now() - start, seconds(2));
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(ReadAll(*second + "/app/hello"), "world");
    EXPECT_TRUE(bed_.kubelet().Probe(bed_.endpoint()));
    EXPECT_EQ(answered, 0) << "all of them wait meanwhile";
  }
  for (std::size_t i = 0; i < kWaiting; ++i) {
    SCOPED_TRACE(i);
    ASSERT_FALSE(answers[i]);
    EXPECT_EQ(CodeName(answers[i].error().code), "UNAVAILABLE") << answers[i].error().message;
    EXPECT_THAT(answers[i].error().message, HasSubstr("acme/web/hangs"));
    EXPECT_LT(took[i], seconds(10));
    EXPECT_FALSE(fs::exists(bed_.kubelet().TargetPath(volumes[i])));
  }
  EXPECT_EQ(MountsBelow(bed_.folder()).size(), mounts + 1);
}

TEST_F(AgentTest, EscDownKeepsTheLastValuesAlsoForNewPods) {
  bed_.StartAgent({"--refresh-interval", "1s"});
  const Attributes attributes = {{"clusterSecretStore", "store"}, {"path", "app"}};
  const InlineVolume first = bed_.Volume("first", attributes);
  const Result<std::string> target = Publish(first);
  ASSERT_TRUE(target) << target.error().message;
  bed_.StopDevServer();

  EXPECT_TRUE(WaitFor(
      [&] {
        const auto stats = bed_.kubelet().Stats(bed_.endpoint(), first);
        return stats && stats->volume_condition().abnormal();
      },
      seconds(30)));
  EXPECT_EQ(ReadAll(*target + "/hello"), "world");
  EXPECT_TRUE(Publish(first)) << "a republish never fails";
  const Result<std::string> second = Publish(bed_.Volume("second", attributes));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(ReadAll(*second + "/hello"), "world");

  bed_.WriteEnvironment("acme/web/dev", "values: {app: {hello: back}}\n");
  bed_.StartDevServer();
  EXPECT_TRUE(WaitFor([&] { return ReadAll(*second + "/hello") == "back"; }, seconds(60)));
}

TEST_F(AgentTest, OptionalVolumeStartsEmptyAndFillsLater) {
  bed_.WriteClusterStore("later", "acme/web/later");
  bed_.StartAgent({"--refresh-interval", "1s"});
  const Result<std::string> target =
      Publish(bed_.Volume("optional", {{"clusterSecretStore", "later"}, {"optional", "true"}}));
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_FALSE(fs::exists(*target + "/key"));
  bed_.WriteEnvironment("acme/web/later", "values: {key: here}\n");
  EXPECT_TRUE(WaitFor([&] { return ReadAll(*target + "/key") == "here"; }, seconds(60)));
}

TEST_F(AgentTest, VolumesComeBackWhenPublishedAgainAfterAnOrderlyRestart) {
  bed_.StartAgent();
  const InlineVolume volume = bed_.Volume("podinfo", {{"clusterSecretStore", "store"}});
  const Result<std::string> target = Publish(volume);
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(bed_.StopAgent(), 0);
  bed_.StartAgent();
  const Result<std::string> again = Publish(volume);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(ReadAll(*again + "/app/hello"), "world");
  EXPECT_TRUE(Unpublish(volume));
  EXPECT_THAT(MountsBelow(bed_.folder()), IsEmpty());
}

TEST_F(AgentTest, ManyVolumesOnOneEnvironmentCostOneHeadPerInterval) {
  constexpr int kVolumes = 100;
  bed_.StartAgent({"--refresh-interval", "2s"});
  for (int i = 0; i < kVolumes; ++i) {
    ASSERT_TRUE(
        Publish(bed_.Volume("pod-" + std::to_string(i), {{"clusterSecretStore", "store"}})));
  }
  EXPECT_EQ(bed_.RequestCount("POST"), 1) << "opens";
  const int before = bed_.RequestCount("HEAD");
  const auto start = steady_clock::now();
  EXPECT_TRUE(WaitFor([&] { return bed_.RequestCount("HEAD") >= before + 3; }, seconds(60)));
  // Three HEADs of an interval of 2 s cannot come sooner than two whole intervals.
  EXPECT_GT(steady_clock::now() - start, seconds(3));
  EXPECT_EQ(bed_.RequestCount("POST"), 1) << "opens while nothing changed";
}

TEST_F(AgentTest, StatusRefreshAndPagesTellTheState) {
  bed_.StartAgent({"--refresh-interval", "1h"});
  ASSERT_TRUE(bed_.kubelet().Register(bed_.registry(), seconds(20)));
  const Result<std::string> target =
      Publish(bed_.Volume("podinfo", {{"clusterSecretStore", "store"}, {"path", "app"}}));
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(HttpGet(bed_.AgentUrl() + "/healthz"), "ok\n");
  EXPECT_EQ(HttpGet(bed_.AgentUrl() + "/readyz"), "ok\n");
  EXPECT_THAT(HttpGet(bed_.AgentUrl() + "/metrics"), HasSubstr("esc_agent_volumes 1"));
  EXPECT_THAT(HttpGet(bed_.AgentUrl() + "/"), HasSubstr("acme/web/dev"));

  bed_.WriteEnvironment("acme/web/dev", "values: {app: {hello: refreshed}}\n");
  const auto run = [&](std::vector<std::string> argv) {
    argv.insert(argv.begin(), bed_.program());
    argv.insert(argv.end(), {"--admin-socket", bed_.admin_socket()});
    Process process(argv, {}, bed_.folder() + "/command-" + argv[1]);
    EXPECT_EQ(process.Wait(seconds(20)), 0) << process.Err();
    return process.Out();
  };
  EXPECT_THAT(run({"refresh", "acme/web/dev"}), HasSubstr("refreshing 1 environment"));
  EXPECT_TRUE(WaitFor([&] { return ReadAll(*target + "/hello") == "refreshed"; }, seconds(20)));
  EXPECT_THAT(run({"status"}), HasSubstr("default/podinfo"));
}

TEST_F(AgentTest, WrongFlagsAreListedAllAtOnce) {
  Process process({bed_.program(), "run", "--refresh-interval", "soon", "--stores", "/nowhere",
                   "--mirror", "maybe"},
                  {{"NODE_NAME", ""}}, bed_.folder() + "/usage");
  EXPECT_EQ(process.Wait(seconds(20)), 2);
  EXPECT_THAT(process.Err(), HasSubstr("--refresh-interval"));
  EXPECT_THAT(process.Err(), HasSubstr("--stores"));
  EXPECT_THAT(process.Err(), HasSubstr("--mirror"));
  EXPECT_THAT(process.Err(), HasSubstr("--node-name"));
}

TEST_F(AgentTest, MountsOnAWorkstation) {
  const std::string folder = bed_.folder() + "/mnt";
  fs::create_directories(folder);
  Process process({bed_.program(), "mount", "acme/web/dev", folder, "--refresh-interval", "1s"},
                  {{"PULUMI_ACCESS_TOKEN", bed_.token()}, {"PULUMI_BACKEND_URL", bed_.esc_url()}},
                  bed_.folder() + "/mount");
  ASSERT_TRUE(process.WaitForOutput("mounted", seconds(20))) << process.Err();
  EXPECT_EQ(ReadAll(folder + "/app/hello"), "world");
  bed_.WriteEnvironment("acme/web/dev", "values: {app: {hello: new}}\n");
  EXPECT_TRUE(process.WaitForOutput("now showing", seconds(20))) << process.Out();
  EXPECT_EQ(ReadAll(folder + "/app/hello"), "new");
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(seconds(20)), 0) << process.Err();
  EXPECT_THAT(MountsBelow(bed_.folder()), IsEmpty());
}

// /dev/fuse as workstations have it (0666), in this test's mount namespace only.
void OpenFuseToEverybody(const std::string& device) {
  ASSERT_EQ(mknod(device.c_str(), S_IFCHR, makedev(10, 229)), 0);
  ASSERT_EQ(chmod(device.c_str(), 0666), 0);
  ASSERT_EQ(mount(device.c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr), 0);
}

TEST_F(AgentTest, MountsOnAWorkstationWithoutRoot) {
  const std::string home = bed_.folder() + "/home";
  fs::create_directories(home + "/mnt");
  fs::permissions(bed_.folder(), fs::perms(0755));
  ASSERT_EQ(chown((home + "/mnt").c_str(), 65534, 65534), 0);
  fs::copy_file(bed_.program(), home + "/esc-agent");
  OpenFuseToEverybody(bed_.folder() + "/fuse");
  Process process({"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                   home + "/esc-agent", "mount", "acme/web/dev", home + "/mnt"},
                  {{"PULUMI_ACCESS_TOKEN", bed_.token()}, {"PULUMI_BACKEND_URL", bed_.esc_url()}},
                  bed_.folder() + "/user-mount");
  ASSERT_TRUE(process.WaitForOutput("mounted", seconds(20))) << process.Err();
  // Only the user sees it: root is not let in.
  Process reader({"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "cat",
                  home + "/mnt/app/hello"},
                 {}, bed_.folder() + "/user-read");
  EXPECT_EQ(reader.Wait(seconds(20)), 0) << reader.Err();
  EXPECT_EQ(reader.Out(), "world");
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(seconds(20)), 0) << process.Err();
  umount2("/dev/fuse", MNT_DETACH);
  EXPECT_THAT(MountsBelow(bed_.folder()), IsEmpty());
}

TEST_F(AgentTest, RefusesWhatIsTooLargeOrEscapesAndLivesOn) {
  // Each of the many small values travels with its trace: more than 16 MiB.
  std::string many = "values: {list: [1";
  for (int i = 0; i < 150000; ++i) many += ",1";
  bed_.WriteEnvironment("acme/web/huge", many + "]}\n");
  bed_.WriteEnvironment("acme/web/escape", "values: {\"../escape\": v}\n");
  bed_.WriteClusterStore("huge", "acme/web/huge");
  bed_.WriteClusterStore("escape", "acme/web/escape");
  bed_.StartAgent();
  Refused("huge", {{"clusterSecretStore", "huge"}}, Code::kResourceExhausted, "larger than");
  Refused("escape", {{"clusterSecretStore", "escape"}}, Code::kInvalidArgument, "../escape");
  EXPECT_TRUE(Publish(bed_.Volume("fine", {{"clusterSecretStore", "store"}})));
}

}  // namespace
}  // namespace escagent::testing
