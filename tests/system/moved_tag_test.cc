#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>

#include "tests/system/process.h"
#include "tests/system/testbed.h"

// Environments that stand at a tag, with the real agent and the real dev server: a new revision
// changes nothing, the move of the tag does.

namespace escagent::testing {
namespace {

using std::chrono::seconds;

class MovedTagTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { EnterPrivateMountNamespace(); }

  void SetUp() override {
    bed_.WriteEnvironment("acme/web/base", "values: {hello: one}\n");
    bed_.WriteEnvironment("acme/web/app", "imports: [web/base@stable]\nvalues: {own: same}\n");
    bed_.WriteClusterStore("importing", "acme/web/app");
    bed_.WriteClusterStore("latest", "acme/web/base");
    bed_.StartDevServer();
    bed_.StartAgent({"--refresh-interval", "1s"});
  }
  // With POST at .../versions/tags the tag begins, with PATCH at .../tags/stable it moves.
  void Tag(const std::string& method, const std::string& path, const std::string& body) {
    httplib::Client client(bed_.esc_url());
    httplib::Request request;
    request.method = method;
    request.path = "/api/esc/environments/acme/web/base/versions/tags" + path;
    request.body = body;
    request.set_header("Content-Type", "application/json");
    request.set_header("Authorization", "token " + bed_.token());
    const httplib::Result answer = client.send(request);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->status, 204) << answer->body;
  }
  // The file `hello` of a new volume.
  std::string Mount(const std::string& store) {
    const auto target = bed_.kubelet().Publish(bed_.endpoint(),
                                               bed_.Volume(store, {{"clusterSecretStore", store}}));
    EXPECT_TRUE(target) << target.error().message;
    return target ? *target + "/hello" : "";
  }
  static bool Becomes(const std::string& file, const std::string& value) {
    return WaitFor([&] { return ReadAll(file) == value; }, seconds(30));
  }

  Testbed bed_{ProgramFolder()};
};

TEST_F(MovedTagTest, FilesFollowTheTagDirectlyAndThroughImports) {
  Tag("POST", "", R"({"name":"stable","revision":1})");
  const std::string folder = bed_.folder() + "/mnt";
  const std::string tagged = folder + "/hello";
  std::filesystem::create_directories(folder);
  Process mount(
      {bed_.program(), "mount", "acme/web/base@stable", folder, "--refresh-interval", "1s"},
      {{"PULUMI_ACCESS_TOKEN", bed_.token()}, {"PULUMI_BACKEND_URL", bed_.esc_url()}},
      bed_.folder() + "/mount");
  ASSERT_TRUE(mount.WaitForOutput("mounted", seconds(20))) << mount.Err();
  const std::string importing = Mount("importing");
  const std::string latest = Mount("latest");
  ASSERT_EQ(ReadAll(tagged), "one");
  ASSERT_EQ(ReadAll(importing), "one");

  bed_.WriteEnvironment("acme/web/base", "values: {hello: two}\n");
  ASSERT_TRUE(Becomes(latest, "two"));
  EXPECT_EQ(ReadAll(tagged), "one") << "the tag has not moved";
  EXPECT_EQ(ReadAll(importing), "one");

  Tag("PATCH", "/stable", R"({"revision":2})");
  EXPECT_TRUE(Becomes(tagged, "two"));
  EXPECT_TRUE(Becomes(importing, "two"));

  Tag("PATCH", "/stable", R"({"revision":1})");
  EXPECT_TRUE(Becomes(tagged, "one")) << "and back";
  EXPECT_TRUE(Becomes(importing, "one"));
  mount.Signal(SIGINT);
  EXPECT_EQ(mount.Wait(seconds(20)), 0) << mount.Err();
}

}  // namespace
}  // namespace escagent::testing
