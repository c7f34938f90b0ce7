#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "csi/proto/csi.grpc.pb.h"
#include "tests/system/canary.h"
#include "tests/system/process.h"
#include "tests/system/testbed.h"

// No value and no token in anything that the programs show: the real agent and the real dev server
// run with marked values and marked tokens, through successes and every kind of failure, and all
// that came out of them is searched for the marks.

namespace escagent::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

// In every value and in every token of this test, but for the testbed's own.
constexpr std::string_view kMark = "cnry7f3a91canary";
constexpr std::string_view kTestbedToken = "pul-testbed-token";

std::string Marked(std::string_view text) { return std::string(kMark) + std::string(text); }

// A definition with marked values of every kind. `revision` goes into a value.
std::string Definition(const std::string& revision) {
  const std::string m(kMark);
  return "values:\n  password: {fn::secret: " + m + "-password-" + revision +
         "}\n"
         "  plain: " +
         m + "-plain\n  nested: {user: " + m + "-user, list: [" + m + "-one, {fn::secret: " + m +
         "-two}]}\n"
         "  joined: \"http://u:${password}@host/?q=" +
         m + "+/= &\"\n  encoded: {fn::toBase64: \"${password}\"}\n  text: |\n    " + m +
         "-line one\n    " + m +
         "-line two\n"
         "  \"../escape\": " +
         m + "-escape\n  \"" + std::string(300, 'k') + "\": " + m +
         "-long\n"
         "  files: {NOTES: " +
         m + "-file}\n  environmentVariables: {PASSWORD: \"${password}\"}\n";
}

class CanaryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { EnterPrivateMountNamespace(); }

  // Everything goes through here.
  void Check(std::string_view what, std::string_view text) {
    EXPECT_EQ(canary_.FindIn(text), "") << "a value or token of ours leaks into " << what;
    EXPECT_EQ(token_.FindIn(text), "") << "the access token leaks into " << what;
  }

  void WriteStore(const std::string& name, const std::string& environment,
                  const std::string& token_file) {
    bed_.WriteStoreFile(name + ".yaml",
                        "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: "
                        "{name: " +
                            name +
                            "}\nspec: {provider: {pulumi: {organization: acme, project: app, "
                            "environment: " +
                            environment + ", accessToken: {secretRef: {name: \"file:" +
                            bed_.folder() + "/" + token_file + "\"}}}}}\n");
  }

  // A publish that must fail; whatever it says is checked.
  void Refuse(const std::string& pod, std::map<std::string, std::string> attributes) {
    InlineVolume volume = bed_.Volume(pod, std::move(attributes));
    volume.service_account_tokens = R"({"urn:pulumi:org:acme":{"token":")" + Marked("-sa-token") +
                                    R"(","expirationTimestamp":"2026-11-24T15:00:00Z"}})";
    volume.secrets = {{"password", Marked("-publish-secret")}};
    for (const bool in_secrets : {true, false}) {
      volume.tokens_in_secrets = in_secrets;
      const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), volume);
      ASSERT_FALSE(target) << pod << " was published";
      EXPECT_NE(target.error().message, "");
      Check("the error of " + pod, target.error().message);
      ++failures_;
    }
  }

  // A publish request as kubelet makes it, but for `change`.
  void RefuseRequest(const std::function<void(::csi::v1::NodePublishVolumeRequest&)>& change) {
    InlineVolume volume = bed_.Volume("malformed", {{"clusterSecretStore", "app"}});
    volume.secrets = {{"password", Marked("-publish-secret")}};
    ::csi::v1::NodePublishVolumeRequest request = bed_.kubelet().PublishRequest(volume, true);
    change(request);
    const auto stub = ::csi::v1::Node::NewStub(
        grpc::CreateChannel("unix:" + bed_.endpoint(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    ::csi::v1::NodePublishVolumeResponse response;
    const grpc::Status status = stub->NodePublishVolume(&context, request, &response);
    EXPECT_FALSE(status.ok());
    Check("the error of a malformed request", status.error_message() + status.error_details());
    ++failures_;
  }

  // Runs the program to its end; checks and returns what it printed.
  std::string RunProgram(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), bed_.program());
    Process process(arguments, {}, bed_.folder() + "/command" + std::to_string(++commands_));
    EXPECT_NE(process.Wait(seconds(20)), -1) << arguments[1] << " does not end";
    const std::string printed = process.Out() + process.Err();
    Check("the output of esc-agent " + arguments[1], printed);
    return printed;
  }

  // What the agent shows of its state.
  void CheckPages() {
    for (const char* path : {"/metrics", "/healthz", "/readyz", "/status", "/"}) {
      const std::string page = HttpGet(bed_.AgentUrl() + path);
      EXPECT_NE(page, "") << path;
      Check(path, page);
    }
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"status"}, {"status", "--json"}, {"refresh"}}) {
      std::vector<std::string> arguments = command;
      arguments.insert(arguments.end(), {"--admin-socket", bed_.admin_socket()});
      EXPECT_NE(RunProgram(arguments), "");
    }
    Check("the agent's command line",
          ReadAll("/proc/" + std::to_string(bed_.agent().pid()) + "/cmdline"));
  }

  void CheckStats(const InlineVolume& volume) {
    const auto stats = bed_.kubelet().Stats(bed_.endpoint(), volume);
    Check("NodeGetVolumeStats", stats ? stats->DebugString() : stats.error().message);
  }

  // Logs of both programs, and every file that they wrote: all but the inputs of this test.
  void CheckFiles() {
    namespace fs = std::filesystem;
    for (auto it = fs::recursive_directory_iterator(bed_.folder());
         it != fs::recursive_directory_iterator(); ++it) {
      const std::string name = it->path().filename().string();
      if (it.depth() == 0 && (name == "definitions" || name == "stores")) {
        it.disable_recursion_pending();
      }
      if (!it->is_regular_file() || name.starts_with("token")) continue;
      Check(it->path().string(), ReadAll(it->path().string()));
    }
  }

  const Canary canary_{kMark};
  const Canary token_{kTestbedToken};
  Testbed bed_{ProgramFolder()};
  int failures_ = 0;
  int commands_ = 0;
};

TEST_F(CanaryTest, NothingSecretComesOut) {
  bed_.WriteEnvironment("acme/app/dev", Definition("first"));
  bed_.WriteEnvironment("acme/app/good", "values: {password: {fn::secret: " + Marked("-first") +
                                             "}, binary: " + Marked("-no base64!") + "}\n");
  bed_.WriteEnvironment("acme/app/json", "values: {a: {fn::fromJSON: \"{" + Marked(":") + "\"}}\n");
  bed_.WriteEnvironment("acme/app/base64", "values: {a: {fn::fromBase64: \"" + Marked("!") +
                                               "\"}, b: \"${a." + "missing}\"}\n");
  bed_.WriteEnvironment("acme/app/yaml", "values: {a: " + Marked("") + ", b: [" + Marked(""));
  bed_.WriteEnvironment("acme/app/unsupported",
                        "values: {a: {fn::open::aws-login: {key: " + Marked("") + "}}}\n");
  bed_.WriteClusterStore("app", "acme/app/dev");
  bed_.WriteClusterStore("good", "acme/app/good");
  for (const char* name : {"json", "base64", "yaml", "unsupported", "missing"}) {
    bed_.WriteClusterStore(name, std::string("acme/app/") + name);
  }
  WriteAll(bed_.folder() + "/token-wrong", Marked("-wrong-token"));
  WriteAll(bed_.folder() + "/token-broken", Marked("-broken") + "\r\n" + Marked("-token"));
  WriteAll(bed_.folder() + "/token-empty", "");
  WriteStore("wrong-token", "dev", "token-wrong");
  WriteStore("broken-token", "dev", "token-broken");
  WriteStore("empty-token", "dev", "token-empty");
  WriteStore("no-token", "dev", "token-missing");
  bed_.StartDevServer();
  bed_.StartAgent({"--log-level", "debug", "--refresh-interval", "1s", "--audit-log",
                   bed_.folder() + "/audit.log"});
  ASSERT_TRUE(bed_.kubelet().Register(bed_.registry(), seconds(20)));

  // All is well: the mark is in the volume, so the search below is not for nothing.
  const InlineVolume good = bed_.Volume("good", {{"clusterSecretStore", "good"}});
  const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), good);
  ASSERT_TRUE(target) << target.error().message;
  ASSERT_EQ(ReadAll(*target + "/password"), Marked("-first"));
  std::vector<InlineVolume> volumes = {good};
  for (const std::string format : {"json", "yaml", "dotenv", "properties"}) {
    volumes.push_back(bed_.Volume(
        format, {{"clusterSecretStore", "app"}, {"format", format}, {"fileName", "all"}}));
    const Result<std::string> published = bed_.kubelet().Publish(bed_.endpoint(), volumes.back());
    ASSERT_TRUE(published) << published.error().message;
    ASSERT_NE(canary_.FindIn(ReadAll(*published + "/all")), "") << format;
  }
  CheckStats(good);
  CheckPages();

  // What a pod's author can get wrong.
  const std::vector<std::map<std::string, std::string>> wrong = {
      {},
      {{"clusterSecretStore", "none"}},
      {{"clusterSecretStore", "app"}},  // a key that escapes, and one that is too long
      {{"clusterSecretStore", "app"}, {"path", "password.deeper"}},
      {{"clusterSecretStore", "app"}, {"path", "nested.usr"}},
      {{"clusterSecretStore", "app"}, {"path", "nested.list[7]"}},
      {{"clusterSecretStore", "app"}, {"path", "nested["}},
      {{"clusterSecretStore", "app"}, {"format", "toml"}},
      {{"clusterSecretStore", "app"}, {"mode", "9"}},
      {{"clusterSecretStore", "app"}, {"pasth", "nested"}},
      {{"clusterSecretStore", "app"}, {"items", "[{path: none, file: a}]"}},
      {{"clusterSecretStore", "app"}, {"items", "[{path: nested, file: ../a}]"}},
      {{"clusterSecretStore", "good"}, {"items", "[{path: binary, file: a, encoding: base64}]"}},
      {{"environment", "acme/app/dev"}, {"auth", "pod"}},
      {{"clusterSecretStore", "json"}},
      {{"clusterSecretStore", "base64"}},
      {{"clusterSecretStore", "yaml"}},
      {{"clusterSecretStore", "unsupported"}},
      {{"clusterSecretStore", "missing"}},
      {{"clusterSecretStore", "wrong-token"}},
      {{"clusterSecretStore", "broken-token"}},
      {{"clusterSecretStore", "empty-token"}},
      {{"clusterSecretStore", "no-token"}},
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) Refuse("wrong-" + std::to_string(i), wrong[i]);

  // What kubelet never sends.
  using Request = ::csi::v1::NodePublishVolumeRequest;
  RefuseRequest([](Request& request) { request.clear_volume_id(); });
  RefuseRequest([](Request& request) { request.set_target_path("relative"); });
  RefuseRequest([](Request& request) { request.clear_volume_capability(); });
  RefuseRequest([](Request& request) { request.set_readonly(false); });
  RefuseRequest([](Request& request) {
    (*request.mutable_volume_context())["csi.storage.k8s.io/serviceAccount.tokens"] =
        Marked(" is no JSON");
  });

  // Rotation, then a definition that cannot be opened any more, while both are mounted.
  bed_.WriteEnvironment("acme/app/good", "values: {password: " + Marked("-second") + "}\n");
  EXPECT_TRUE(
      WaitFor([&] { return ReadAll(*target + "/password") == Marked("-second"); }, seconds(20)));
  bed_.WriteEnvironment("acme/app/good", "values: {password: {fn::fromJSON: " + Marked("") + "}}");
  EXPECT_TRUE(
      WaitFor([&] { return HttpGet(bed_.AgentUrl() + "/status").contains("decoding JSON string"); },
              seconds(20)))
      << "the failed refresh is shown: " << HttpGet(bed_.AgentUrl() + "/status");
  CheckStats(good);
  CheckPages();

  // ESC at its worst, for volumes that are mounted and for new ones.
  int pod = 0;
  for (const char* fault :
       {R"({"status": 400})", R"({"status": 401})", R"({"status": 403})", R"({"status": 404})",
        R"({"status": 409})", R"({"status": 429, "retryAfter": 1})", R"({"status": 500})",
        R"({"status": 503})", R"({"truncate": true})",
        R"({"route": "POST /api/esc/environments/{org}/{project}/{env}/open", "status": 500})",
        R"({"route": "POST /api/esc/environments/{org}/{project}/{env}/open", "truncate": true})",
        R"({"route": "GET /api/esc/environments/{org}/{project}/{env}/open/{id}", "status": 404})",
        R"({"route": "GET /api/esc/environments/{org}/{project}/{env}/open/{id}",
            "truncate": true})"}) {
    bed_.Debug("PUT", "/debug/faults", fault);
    WriteStore("fault-" + std::to_string(pod), "fault" + std::to_string(pod), "token");
    bed_.WriteEnvironment("acme/app/fault" + std::to_string(pod), Definition("fault"));
    Refuse("fault-" + std::to_string(pod),
           {{"clusterSecretStore", "fault-" + std::to_string(pod)}, {"path", "nested"}});
    CheckStats(volumes.back());
    ++pod;
  }
  bed_.StopDevServer();
  Refuse("esc-down", {{"clusterSecretStore", "missing"}});
  CheckPages();

  for (const InlineVolume& volume : volumes) {
    EXPECT_TRUE(bed_.kubelet().Unpublish(bed_.endpoint(), volume));
  }
  const std::string log = bed_.agent().Err();
  EXPECT_THAT(log, HasSubstr("\"volumeId\""));
  EXPECT_GE(failures_, 60);
  EXPECT_EQ(bed_.StopAgent(), 0);
  CheckFiles();
}

// Restores, rotations through the keeper, its loss and its return, in both backends.
TEST_F(CanaryTest, NorWithAKeeper) {
  const auto write = [this](const std::string& value) {
    bed_.WriteEnvironment("acme/app/good", "values: {password: {fn::secret: " + Marked(value) +
                                               "}, " + Marked("-key") + ": " + Marked(value) +
                                               "}\n");
  };
  write("-first");
  bed_.WriteClusterStore("good", "acme/app/good");
  bed_.StartDevServer();
  bed_.StartKeeper({"--watchdog", "1"});
  const std::vector<std::string> flags = {"--log-level", "debug", "--refresh-interval", "1s"};
  bed_.StartAgent(flags);
  std::vector<InlineVolume> volumes;
  std::vector<std::string> passwords;
  for (const std::string backend : {"fuse", "tmpfs"}) {
    volumes.push_back(bed_.Volume(
        backend, {{"clusterSecretStore", "good"}, {"path", "password"}, {"backend", backend}}));
    const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), volumes.back());
    ASSERT_TRUE(target) << target.error().message;
    passwords.push_back(*target + "/password");
  }
  const auto expect_shown = [&](const std::string& value) {
    for (const std::string& password : passwords) {
      EXPECT_TRUE(WaitFor([&] { return ReadAll(password) == Marked(value); }, seconds(20)))
          << password;
    }
  };
  expect_shown("-first");
  write("-second");
  expect_shown("-second");
  CheckPages();

  bed_.agent().Signal(SIGKILL);
  bed_.agent().Wait(seconds(20));
  EXPECT_TRUE(WaitFor([&] { return bed_.keeper().Err().contains("aborting"); }, seconds(20)));
  bed_.StopDevServer();
  bed_.StartAgent(flags);
  expect_shown("-second");
  CheckPages();

  bed_.StartDevServer();
  bed_.StartKeeper();
  write("-third");
  expect_shown("-third");
  bed_.keeper().Signal(SIGKILL);
  bed_.keeper().Wait(seconds(20));
  write("-fourth");
  EXPECT_TRUE(WaitFor([&] { return ReadAll(passwords[0]) == Marked("-fourth"); }, seconds(20)));
  CheckPages();
  Refuse("keeper-away", {{"clusterSecretStore", "good"}, {"path", "password"}});
  bed_.StartKeeper();
  for (const InlineVolume& volume : volumes) {
    CheckStats(volume);
    EXPECT_TRUE(
        WaitFor([&] { return bed_.kubelet().Unpublish(bed_.endpoint(), volume).has_value(); },
                seconds(20)));
  }
  EXPECT_EQ(bed_.StopAgent(), 0);
  CheckFiles();
}

TEST_F(CanaryTest, NorFromProgramsThatFailToStart) {
  bed_.WriteStoreFile("inline.yaml",
                      "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\n"
                      "metadata: {name: inline}\nspec: {provider: {pulumi: {organization: acme, "
                      "project: app, environment: dev, accessToken: " +
                          Marked("-inline-token") + "}}}\n");
  bed_.WriteStoreFile("broken.yaml", "kind: \"" + Marked("-broken\nkind: ["));
  const std::vector<std::string> run = {"run",
                                        "--node-name",
                                        "node-1",
                                        "--csi-endpoint",
                                        "unix://" + bed_.endpoint(),
                                        "--stores",
                                        bed_.folder() + "/stores",
                                        "--registration-socket",
                                        "none",
                                        "--http-listen",
                                        "none",
                                        "--admin-socket",
                                        bed_.admin_socket()};
  EXPECT_NE(RunProgram(run), "");

  const std::string definition = bed_.folder() + "/definitions/token.yaml";
  WriteAll(definition,
           "values: {secret: {fn::secret: " + Marked("-secret") +
               "}, joined: \"a${secret}b\", nested: {x: {fn::toBase64: \"${secret}\"}}}");
  EXPECT_THAT(RunProgram({"eval", definition}), HasSubstr("[secret]"));
  WriteAll(definition, "values: {a: {fn::fromJSON: {fn::secret: \"" + Marked("") + "\"}}}");
  EXPECT_NE(RunProgram({"eval", definition}), "");
}

// The search itself: each form of a leak is found.
TEST(CanarySearchTest, FindsEveryForm) {
  const Canary canary("cnry7f3a91");
  EXPECT_EQ(canary.FindIn("nothing here: cnry7f3a9, Y25yeTdmM2E"), "");
  for (const std::string_view leak : {
           "password=cnry7f3a91!",
           "http://u:cnry7f3a91%2F@host",
           "Y25yeTdmM2E5MQ==",      // base64 of the mark
           "eGNucnk3ZjNhOTEK",      // one byte before it
           "eHhjbnJ5N2YzYTkxeHh4",  // two bytes before it
           "636e72793766336139310a",
       }) {
    EXPECT_NE(canary.FindIn("before " + std::string(leak) + " after"), "") << leak;
  }
}

}  // namespace
}  // namespace escagent::testing
