#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/unique_fd.h"
#include "tests/system/process.h"
#include "tests/system/testbed.h"

// Who opened which key, written by the real agent.

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

class AuditLogTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { EnterPrivateMountNamespace(); }

  void StartNode() {
    bed_.WriteEnvironment("acme/shop/prod", "values: {db: {password: first}}\n");
    bed_.WriteClusterStore("store", "acme/shop/prod");
    bed_.WriteStoreFile("closed.yaml",
                        "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: "
                        "{name: closed}\nspec: {conditions: [{namespaces: [other]}], provider: "
                        "{pulumi: {organization: acme, project: shop, environment: prod, "
                        "accessToken: {secretRef: {name: \"file:" +
                            bed_.folder() + "/token\"}}}}}\n");
    bed_.StartDevServer();
    bed_.StartKeeper();
    StartAgent();
  }
  void StartAgent() {
    bed_.StartAgent({"--refresh-interval", "1s", "--audit-log", path_, "--log-level", "debug"});
  }

  // What the file has of one kind.
  std::vector<json> Events(const std::string& kind) const {
    std::vector<json> events;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
      const auto event = ParseJson(line, "a line of the audit log");
      if (event && (*event)["event"].get<std::string>() == kind) events.push_back(*event);
    }
    return events;
  }
  bool WaitForEvents(const std::string& kind, std::size_t count) const {
    return WaitFor([&] { return Events(kind).size() >= count; }, seconds(20));
  }

  // Whether a process of this user can open the volume's file. The way to the volume is not open to
  // everybody, as in a pod it is.
  static bool OpenAs(uid_t uid, const std::string& volume) {
    const UniqueFd folder(open(volume.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const pid_t child = fork();
    if (child == 0) {
      if (setgid(uid) != 0 || setuid(uid) != 0) _exit(2);
      _exit(openat(folder.Get(), "db/password", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  Testbed bed_{ProgramFolder()};
  std::string path_ = bed_.folder() + "/audit.log";
};

TEST_F(AuditLogTest, SaysWhoOpenedWhichKey) {
  StartNode();
  const InlineVolume volume = bed_.Volume("web", {{"clusterSecretStore", "store"}});
  const auto target = bed_.kubelet().Publish(bed_.endpoint(), volume);
  ASSERT_TRUE(target) << target.error().message;
  ASSERT_TRUE(OpenAs(1234, *target));
  ASSERT_TRUE(WaitForEvents("open", 1));
  const json open = Events("open").front();
  EXPECT_EQ(open["allowed"], true);
  EXPECT_EQ(open["key"], "db.password");
  EXPECT_EQ(open["file"], "db/password");
  EXPECT_EQ(open["uid"], 1234);
  EXPECT_EQ(open["gid"], 1234);
  EXPECT_EQ(open["pod"].get<std::string>(), volume.pod_name);
  EXPECT_EQ(open["podUid"].get<std::string>(), volume.pod_uid);
  EXPECT_EQ(open["namespace"].get<std::string>(), volume.pod_namespace);
  EXPECT_EQ(open["serviceAccount"].get<std::string>(), volume.service_account);
  EXPECT_EQ(open["store"], "ClusterSecretStore store");
  EXPECT_EQ(open["environment"], "acme/shop/prod");
  EXPECT_EQ(open["revision"], "1");
  ASSERT_EQ(Events("mount").size(), 1u);
  EXPECT_EQ(Events("mount")[0]["allowed"], true);

  // The next revision is named once its bytes are read.
  bed_.WriteEnvironment("acme/shop/prod", "values: {db: {password: second}}\n");
  ASSERT_TRUE(WaitFor([&] { return ReadAll(*target + "/db/password") == "second"; }, seconds(20)));
  ASSERT_TRUE(WaitFor([&] { return Events("open").back()["revision"] == "2"; }, seconds(20)));

  ASSERT_TRUE(bed_.kubelet().Unpublish(bed_.endpoint(), volume));
  ASSERT_TRUE(WaitForEvents("unmount", 1));
  EXPECT_EQ(Events("unmount")[0]["pod"].get<std::string>(), volume.pod_name);
}

TEST_F(AuditLogTest, DenialsAreEventsToo) {
  StartNode();
  const InlineVolume volume = bed_.Volume("web", {{"clusterSecretStore", "closed"}});
  ASSERT_FALSE(bed_.kubelet().Publish(bed_.endpoint(), volume));
  ASSERT_TRUE(WaitForEvents("mount", 1));
  const json mount = Events("mount").front();
  EXPECT_EQ(mount["allowed"], false);
  EXPECT_THAT(mount["reason"].get<std::string>(), ::testing::HasSubstr("denied by spec.condition"));
  EXPECT_EQ(mount["pod"].get<std::string>(), volume.pod_name);
}

// As with the chart's auditLog: beside the log, which goes to stderr.
TEST_F(AuditLogTest, StandardOutputHasLinesOfJson) {
  path_ = "-";
  StartNode();
  const InlineVolume volume = bed_.Volume("web", {{"clusterSecretStore", "store"}});
  const auto target = bed_.kubelet().Publish(bed_.endpoint(), volume);
  ASSERT_TRUE(target) << target.error().message;
  ASSERT_EQ(ReadAll(*target + "/db/password"), "first");
  const auto has = [&](const std::string& event) {
    return bed_.agent().Out().find("\"event\":\"" + event + "\"") != std::string::npos;
  };
  ASSERT_TRUE(WaitFor([&] { return has("mount") && has("open"); }, seconds(20)))
      << bed_.agent().Out();
  const std::string out = bed_.agent().Out();
  std::istringstream whole(out.substr(0, out.rfind('\n')));
  for (std::string line; std::getline(whole, line);) {
    const auto event = ParseJson(line, "a line of stdout");
    ASSERT_TRUE(event) << line;
    EXPECT_TRUE(event->contains("event")) << line;
  }
}

// A successor knows whose volume it serves.
TEST_F(AuditLogTest, GoesOnAfterACrash) {
  StartNode();
  const InlineVolume volume = bed_.Volume("web", {{"clusterSecretStore", "store"}});
  const auto target = bed_.kubelet().Publish(bed_.endpoint(), volume);
  ASSERT_TRUE(target) << target.error().message;
  bed_.agent().Signal(SIGKILL);
  ASSERT_EQ(bed_.agent().Wait(seconds(10)), 128 + SIGKILL);
  StartAgent();
  const std::size_t before = Events("open").size();
  ASSERT_TRUE(OpenAs(77, *target));
  ASSERT_TRUE(WaitForEvents("open", before + 1));
  const json open = Events("open").back();
  EXPECT_EQ(open["pod"].get<std::string>(), volume.pod_name);
  EXPECT_EQ(open["uid"], 77);
  EXPECT_EQ(open["revision"], "1");
}

TEST_F(AuditLogTest, AHangupBeginsANewFile) {
  StartNode();
  const InlineVolume volume = bed_.Volume("web", {{"clusterSecretStore", "store"}});
  const auto target = bed_.kubelet().Publish(bed_.endpoint(), volume);
  ASSERT_TRUE(target) << target.error().message;
  ASSERT_TRUE(WaitForEvents("mount", 1));
  std::filesystem::rename(path_, path_ + ".1");
  bed_.agent().Signal(SIGHUP);
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(path_); }, seconds(20)));
  ASSERT_TRUE(OpenAs(0, *target));
  EXPECT_TRUE(WaitForEvents("open", 1));
  EXPECT_TRUE(Events("mount").empty());
}

}  // namespace
}  // namespace escagent::testing
