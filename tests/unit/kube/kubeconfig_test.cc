#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "kube/config.h"
#include "tests/unit/kube/temp_folder.h"

namespace escagent::kube {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

// "-----BEGIN CERTIFICATE-----\nCA\n", and with KEY.
constexpr const char* kCaData = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkNBCg==";
constexpr const char* kKeyData = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCktFWQo=";

class KubeconfigTest : public ::testing::Test {
 protected:
  // A kubeconfig with one context whose cluster and user have these lines.
  std::string Write(const std::string& cluster, const std::string& user) {
    return folder_.Write("config",
                         "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n"
                         "- name: here\n  context: {cluster: c, user: u, namespace: ns}\n"
                         "clusters:\n- name: c\n  cluster: {" +
                             cluster +
                             "}\n"
                             "users:\n- name: u\n  user: {" +
                             user + "}\n");
  }
  std::string FaultsOf(const std::string& cluster, const std::string& user) {
    const Result<Config> config = LoadKubeconfig(Write(cluster, user));
    if (config) return "none";
    EXPECT_EQ(config.error().code, Code::kInvalidArgument);
    return config.error().message;
  }

  const TempFolder folder_;
};

TEST_F(KubeconfigTest, DataWinsOverFiles) {
  const Result<Config> config = LoadKubeconfig(
      Write("server: 'https://a.test:6443/', tls-server-name: b.test, certificate-authority: nope, "
            "proxy-url: 'http://p:1', certificate-authority-data: " +
                std::string(kCaData),
            "client-certificate-data: " + std::string(kCaData) + ", client-key-data: " + kKeyData +
                ", token: t0ken"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server, "https://a.test:6443");
  EXPECT_EQ(config->tls.server_name, "b.test");
  EXPECT_EQ(config->tls.ca_pem, "-----BEGIN CERTIFICATE-----\nCA\n");
  EXPECT_EQ(config->tls.ca_file, "");
  EXPECT_EQ(config->tls.certificate_pem, config->tls.ca_pem);
  EXPECT_EQ(config->tls.key_pem->Reveal(), "-----BEGIN PRIVATE KEY-----\nKEY\n");
  EXPECT_FALSE(config->tls.insecure);
  EXPECT_EQ(config->proxy_url, "http://p:1");
  EXPECT_EQ(config->token->Reveal(), "t0ken");
  EXPECT_EQ(config->namespace_name, "ns");
}

TEST_F(KubeconfigTest, FilesAreRelativeToTheKubeconfig) {
  folder_.Write("ca", "");
  folder_.Write("crt", "");
  const std::string key = folder_.Write("key", "");
  folder_.Write("tok", "");
  const Result<Config> config = LoadKubeconfig(
      Write("server: https://a.test, certificate-authority: ca",
            "client-certificate: crt, client-key: " + key + ", tokenFile: tok, token: static"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->tls.ca_file, folder_.path() + "/ca");
  EXPECT_EQ(config->tls.certificate_file, folder_.path() + "/crt");
  EXPECT_EQ(config->tls.key_file, key);
  EXPECT_EQ(config->token_file, folder_.path() + "/tok");
  EXPECT_EQ(config->token, nullptr) << "the file wins";
}

TEST_F(KubeconfigTest, ExecPlugin) {
  const Result<Config> config = LoadKubeconfig(Write(
      "server: https://a.test, insecure-skip-tls-verify: true",
      "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plug, args: [a, '1'], "
      "env: [{name: A, value: 'true'}, {name: B}], provideClusterInfo: true, installHint: get it, "
      "interactiveMode: IfAvailable}"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->tls.insecure);
  ASSERT_TRUE(config->exec);
  EXPECT_EQ(config->exec->command, folder_.path() + "/./plug");
  EXPECT_THAT(config->exec->args, ElementsAre("a", "1"));
  EXPECT_THAT(config->exec->environment, ElementsAre(Pair("A", "true"), Pair("B", "")));
  EXPECT_TRUE(config->exec->provide_cluster_info);
  EXPECT_EQ(config->exec->install_hint, "get it");
}

TEST_F(KubeconfigTest, AllFaultsAtOnceAndNoValues) {
  const std::string faults = FaultsOf(
      "server: 'ftp://hush', certificate-authority-data: '*hush*', insecure-skip-tls-verify: hush, "
      "proxy-url: hush",
      "username: hush, password: hush, auth-provider: {name: gcp}, as: hush, client-key-data: "
      "aHVzaA==, "
      "tokenFile: gone, token: hush, "
      "exec: {apiVersion: hush, interactiveMode: Always}");
  EXPECT_THAT(faults, Not(HasSubstr("hush")));
  for (const char* fault :
       {"server must begin", "certificate-authority-data is not base64", "insecure-skip-tls-verify",
        "proxy-url", "username and password", "auth-provider", "impersonation",
        "client-key-data is not PEM", "tokenFile: cannot read", "command is missing",
        "apiVersion must be client.authentication.k8s.io/v1 or", "terminal"}) {
    EXPECT_THAT(faults, HasSubstr(fault));
  }
}

TEST_F(KubeconfigTest, WhatGoesTogether) {
  EXPECT_THAT(FaultsOf("server: https://a", "client-certificate-data: " + std::string(kCaData)),
              HasSubstr("client-certificate without client-key"));
  EXPECT_THAT(FaultsOf("server: https://a", "client-key-data: " + std::string(kKeyData)),
              HasSubstr("client-key without client-certificate"));
  EXPECT_THAT(FaultsOf("server: https://a, insecure-skip-tls-verify: true, "
                       "certificate-authority-data: " +
                           std::string(kCaData),
                       ""),
              HasSubstr("exclude each other"));
  EXPECT_THAT(FaultsOf("", ""), HasSubstr("server is missing"));
  EXPECT_THAT(FaultsOf("server: 'https://u:p@a'", ""), HasSubstr("without a query or a user"));
}

TEST_F(KubeconfigTest, NamesThatAreNotThere) {
  const std::string path = folder_.Write(
      "config", "contexts: [{name: a, context: {cluster: x, user: y}}, {name: b, context: {}}]");
  Result<Config> config = LoadKubeconfig(path);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("no current-context"));
  config = LoadKubeconfig(path, "nope");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("no context \"nope\"; there are a, b"));
  config = LoadKubeconfig(path, "a");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message,
              AllOf(HasSubstr("no cluster \"x\"; there are none"), HasSubstr("no user \"y\"")));
  EXPECT_EQ(LoadKubeconfig(folder_.path() + "/gone").error().code, Code::kNotFound);
}

TEST_F(KubeconfigTest, SeveralFilesAreJoined) {
  const std::string one = folder_.Write(
      "one", "current-context: x\nusers: [{name: u, user: {token: first}}]\nclusters: null");
  const std::string two =
      folder_.Write("two",
                    "current-context: y\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
                    "clusters: [{name: c, cluster: {server: 'https://two'}}]\n"
                    "users: [{name: u, user: {token: second}}]");
  const Result<Config> config = LoadKubeconfig(one + ":" + folder_.path() + "/gone::" + two);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server, "https://two");
  EXPECT_EQ(config->token->Reveal(), "first");
  EXPECT_EQ(config->namespace_name, "default");
}

TEST_F(KubeconfigTest, HostileFiles) {
  for (const std::string& text :
       {std::string("a: [b"), std::string("- a"), std::string("\xFF"), std::string("x"),
        // 10^6 nodes by aliases
        std::string("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                    "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                    "e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                    "g: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"),
        std::string(60, '[') + std::string(60, ']')}) {
    const Result<Config> config = LoadKubeconfig(folder_.Write("bad", text));
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().code, Code::kInvalidArgument) << config.error().message;
  }
  const Result<Config> large =
      LoadKubeconfig(folder_.Write("large", "a: " + std::string(2 << 20, 'x')));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Code::kResourceExhausted);
}

class InClusterConfigTest : public ::testing::Test {
 protected:
  InClusterConfigTest() {
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  }
  ~InClusterConfigTest() override {
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
  }
  const TempFolder folder_;
};

TEST_F(InClusterConfigTest, ReadsTheServiceAccount) {
  folder_.Write("ca.crt", "x");
  const std::string token = folder_.Write("token", "hush");
  folder_.Write("namespace", "esc-agent\n");
  const Result<Config> config = InClusterConfig(folder_.path());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server, "https://[fd00::1]:443");
  EXPECT_EQ(config->tls.ca_file, folder_.path() + "/ca.crt");
  EXPECT_EQ(config->token_file, token);
  EXPECT_EQ(config->namespace_name, "esc-agent");
}

TEST_F(InClusterConfigTest, SaysWhatIsMissing) {
  Result<Config> config = InClusterConfig(folder_.path());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(config.error().message, HasSubstr("automountServiceAccountToken"));
  unsetenv("KUBERNETES_SERVICE_HOST");
  config = InClusterConfig(folder_.path());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(config.error().message, HasSubstr("no pod"));
}

}  // namespace
}  // namespace escagent::kube
