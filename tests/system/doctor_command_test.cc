// `esc-agent doctor` as a user runs it: beside a whole node and cluster on which all is well, and
// with one thing broken at a time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/strings.h"
#include "base/unique_fd.h"
#include "tests/fakes/apiserver/test_cluster.h"
#include "tests/system/testbed.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kAgentToken[] = "agents-own-api-token";
constexpr char kStore[] = "store ClusterSecretStore app";

// What a run has printed.
struct Report {
  int code = -1;
  std::string text;

  // The line of a check, with its mark; empty without one.
  std::string Line(const std::string& check) const {
    for (const std::string_view line : Split(text, '\n')) {
      if (line.size() > 8 && line.substr(8).starts_with(check + ":")) return std::string(line);
    }
    return "";
  }
};

class DoctorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    apiserver::ApiServer::Options options;
    options.rbac = true;
    options.tokens[kAgentToken] = {.name = "system:serviceaccount:esc-agent:esc-agent",
                                   .groups = {"system:authenticated"}};
    auto started = apiserver::TestCluster::Fake(std::move(options));
    ASSERT_TRUE(started) << started.error().ToString();
    cluster_ = *std::move(started);
    kubeconfig_ = bed_.folder() + "/kubeconfig";
    WriteAll(kubeconfig_, cluster_->fake().KubeconfigFor(kAgentToken, "esc-agent"));
    // As on a node, mounts below kubelet's folder are shared.
    std::filesystem::create_directories(bed_.kubelet_dir() + "/pods");
    const char* const folder = bed_.folder().c_str();
    ASSERT_EQ(mount(folder, folder, nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(mount(nullptr, folder, nullptr, MS_SHARED, nullptr), 0);
    bed_.WriteEnvironment("acme/web/dev", "values: {hello: world}\n");
    bed_.StartDevServer();
  }
  void TearDown() override {
    if (HasFailure()) std::printf("%s\n", last_.text.c_str());
  }

  void Apply(const json& object) {
    const Status applied = cluster_->ApplyObject(object);
    ASSERT_TRUE(applied) << applied.error().ToString();
  }
  void ApplyFile(const std::string& path) {
    const Status applied = cluster_->Apply(std::string(SOURCE_FOLDER) + "/manifests/" + path);
    ASSERT_TRUE(applied) << applied.error().ToString();
  }
  void WriteToken(const std::string& token) {
    Apply({{"apiVersion", "v1"},
           {"kind", "Secret"},
           {"metadata", {{"name", "token"}, {"namespace", "esc-agent"}}},
           {"stringData", {{"t", token}}}});
  }
  // All that an administrator installs, and what kubelet makes of it.
  void Install(bool with_crds = true) {
    ApplyFile("rbac/agent/namespace.yaml");
    ApplyFile("rbac/agent/leases.yaml");
    ApplyFile("rbac/cluster_role.yaml");
    Apply({{"apiVersion", "storage.k8s.io/v1"},
           {"kind", "CSIDriver"},
           {"metadata", {{"name", "csi.esc-agent.io"}}},
           {"spec",
            {{"attachRequired", false},
             {"podInfoOnMount", true},
             {"requiresRepublish", true},
             {"volumeLifecycleModes", {"Ephemeral"}}}}});
    Apply({{"apiVersion", "storage.k8s.io/v1"},
           {"kind", "CSINode"},
           {"metadata", {{"name", "node-1"}}},
           {"spec", {{"drivers", json::array({{{"name", "csi.esc-agent.io"}}})}}}});
    WriteToken(bed_.token());
    if (!with_crds) return;
    ApplyFile("crds");
    Apply({{"apiVersion", "external-secrets.io/v1"},
           {"kind", "ClusterSecretStore"},
           {"metadata", {{"name", "app"}}},
           {"spec",
            {{"provider",
              {{"pulumi",
                {{"organization", "acme"},
                 {"project", "web"},
                 {"environment", "dev"},
                 {"accessToken",
                  {{"secretRef",
                    {{"name", "token"}, {"key", "t"}, {"namespace", "esc-agent"}}}}}}}}}}}});
  }
  void StartNode() {
    bed_.StartKeeper();
    bed_.StartAgent();
    const auto driver = bed_.kubelet().Register(bed_.registry(), seconds(30));
    ASSERT_TRUE(driver) << driver.error().ToString();
  }

  // Configured as in the agent's pod, by variables.
  Report Doctor(const std::map<std::string, std::string>& changes = {},
                const std::vector<std::string>& flags = {}) {
    std::map<std::string, std::string> environment = {
        {"ESC_AGENT_KUBELET_DIR", bed_.kubelet_dir()},
        {"ESC_AGENT_KEEPER_SOCKET", bed_.keeper_socket()},
        {"ESC_AGENT_ADMIN_SOCKET", bed_.admin_socket()},
        {"ESC_AGENT_CSI_ENDPOINT", "unix://" + bed_.endpoint()},
        {"ESC_AGENT_REGISTRATION_SOCKET", bed_.registration_socket()},
        {"ESC_AGENT_KUBECONFIG", kubeconfig_},
        {"ESC_AGENT_ESC_URL", bed_.esc_url()},
        {"ESC_AGENT_MIRROR", "on"}};
    for (const auto& [name, value] : changes) environment[name] = value;
    std::vector<std::string> argv = {bed_.program(), "doctor"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    Process process(argv, environment, bed_.folder() + "/doctor" + std::to_string(++runs_));
    last_.code = process.Wait(seconds(60));
    last_.text = process.Out() + process.Err();
    EXPECT_THAT(last_.text, Not(HasSubstr(bed_.token())));
    EXPECT_THAT(last_.text, Not(HasSubstr(kAgentToken)));
    return last_;
  }

  Testbed bed_{ProgramFolder()};
  std::unique_ptr<apiserver::TestCluster> cluster_;
  std::string kubeconfig_;
  Report last_;
  int runs_ = 0;
};

TEST_F(DoctorTest, AllIsWell) {
  Install();
  StartNode();
  const Report report = Doctor();
  EXPECT_EQ(report.code, 0);
  EXPECT_THAT(report.text, HasSubstr("\n0 failed, "));
  for (const char* check :
       {"kernel", "/dev/fuse", "mount propagation", "agent", "keeper", "kubelet registration",
        "CSI socket", "registration socket", "API server", "CSIDriver", "CSINode",
        "kinds of external-secrets.io", "rights", kStore}) {
    EXPECT_THAT(report.Line(check), HasSubstr("  ok    ")) << check;
  }
  const Report as_json = Doctor({}, {"--json", "--only", "cluster"});
  const json parsed = json::parse(as_json.text, nullptr, false);
  ASSERT_FALSE(parsed.is_discarded()) << as_json.text;
  EXPECT_EQ(parsed["summary"]["fail"], 0);
  for (const json& finding : parsed["findings"]) EXPECT_EQ(finding["group"], "cluster");
}

TEST_F(DoctorTest, EscIsAway) {
  Install();
  StartNode();
  bed_.StopDevServer();
  const Report report = Doctor();
  EXPECT_EQ(report.code, 1);
  EXPECT_THAT(report.Line("ESC at " + bed_.esc_url()), HasSubstr("  FAIL  "));
  EXPECT_THAT(report.Line(kStore), HasSubstr("  skip  "));
  EXPECT_THAT(report.text, HasSubstr("\n1 failed, "));
}

TEST_F(DoctorTest, AWrongToken) {
  Install();
  StartNode();
  WriteToken("pul-some-other-token");
  const Report report = Doctor();
  EXPECT_EQ(report.code, 1);
  EXPECT_THAT(report.Line(kStore), HasSubstr("  FAIL  "));
  EXPECT_THAT(report.Line(kStore), HasSubstr("Secret esc-agent/token, key t"));
  EXPECT_THAT(report.text, Not(HasSubstr("pul-some-other-token")));
}

TEST_F(DoctorTest, AMissingRight) {
  Install();
  StartNode();
  const std::string path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/esc-agent";
  json role = cluster_->Request("GET", path).body;
  for (json& rule : role["rules"]) {
    if (rule["resources"][0] == "secrets") rule["verbs"] = {"get", "create", "update", "delete"};
  }
  ASSERT_EQ(cluster_->Request("PUT", path, role).status, 200);
  const Report report = Doctor();
  EXPECT_EQ(report.code, 1);
  EXPECT_THAT(report.text, HasSubstr("FAIL  rights: no right to watch secrets: "));
  EXPECT_THAT(report.text, HasSubstr("FAIL  rights: no right to patch secrets: "));
  EXPECT_THAT(report.text, HasSubstr("\n2 failed, "));
}

TEST_F(DoctorTest, NoKinds) {
  Install(/*with_crds=*/false);
  StartNode();
  const Report report = Doctor();
  EXPECT_EQ(report.code, 1);
  EXPECT_THAT(report.Line("kinds of external-secrets.io"), HasSubstr("  FAIL  "));
  EXPECT_THAT(report.text, HasSubstr("manifests/crds"));
}

TEST_F(DoctorTest, NoKeeper) {
  Install();
  StartNode();
  const Report report = Doctor({{"ESC_AGENT_KEEPER_SOCKET", bed_.folder() + "/none.sock"}});
  EXPECT_EQ(report.code, 1);
  EXPECT_THAT(report.Line("keeper"), HasSubstr("  FAIL  "));
  EXPECT_THAT(report.Line("keeper"), HasSubstr("nobody listens there"));
}

TEST_F(DoctorTest, NotRegistered) {
  Install();
  bed_.StartAgent();
  Apply({{"apiVersion", "storage.k8s.io/v1"},
         {"kind", "CSINode"},
         {"metadata", {{"name", "node-1"}}},
         {"spec", {{"drivers", json::array()}}}});
  const Report report = Doctor({{"ESC_AGENT_KEEPER_SOCKET", ""}});
  EXPECT_EQ(report.code, 1);
  EXPECT_THAT(report.Line("kubelet registration"), HasSubstr("  FAIL  "));
  EXPECT_THAT(report.Line("CSINode"), HasSubstr("  FAIL  "));
}

// Servers that take connections and say nothing, and no agent.
TEST_F(DoctorTest, IsDoneSoonWhateverHangs) {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener.Get(), any, size), 0);
  ASSERT_EQ(listen(listener.Get(), 16), 0);
  ASSERT_EQ(getsockname(listener.Get(), any, &size), 0);
  const std::string url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  WriteAll(kubeconfig_,
           "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
           "clusters: [{name: c, cluster: {server: \"" +
               url +
               "\"}}]\n"
               "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
               "users: [{name: u, user: {token: t}}]\n");
  const auto start = std::chrono::steady_clock::now();
  const Report report = Doctor({{"ESC_AGENT_ESC_URL", url}});
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(15));
  EXPECT_EQ(report.code, 1);
  for (const std::string& check :
       {std::string("agent"), std::string("keeper"), std::string("API server"), "ESC at " + url}) {
    EXPECT_THAT(report.Line(check), HasSubstr("  FAIL  ")) << check;
  }
}

TEST_F(DoctorTest, WrongUsage) {
  const Report report = Doctor({{"ESC_AGENT_MIRROR", "maybe"}}, {"--only", "node,moon"});
  EXPECT_EQ(report.code, 2);
  EXPECT_THAT(report.text, HasSubstr("--only: \"moon\" is not one of node, agent, cluster, esc"));
  EXPECT_THAT(report.text, HasSubstr("--mirror: \"maybe\" is not one of"));
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  escagent::testing::EnterPrivateMountNamespace();
  return RUN_ALL_TESTS();
}
