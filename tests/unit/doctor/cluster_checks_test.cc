#include "agent/doctor/cluster_checks.h"

#include <gtest/gtest.h>

#include "agent/doctor/clock_check.h"
#include "base/json.h"
#include "kube/connection.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_cluster.h"
#include "tests/fakes/fake_http_transport.h"

namespace escagent::doctor {
namespace {

using nlohmann::json;
using testing::FakeClock;
using testing::FakeCluster;
using testing::FakeHttpTransport;

constexpr char kDriver[] = "csi.esc-agent.io";
constexpr char kEso[] = "/apis/external-secrets.io/";

class ClusterChecksTest : public ::testing::Test {
 protected:
  static kube::Config MakeConfig() {
    kube::Config config;
    config.server = "https://10.0.0.1";
    return config;
  }
  void Serve(const std::string& version, const std::vector<std::string>& kinds) {
    json resources = json::array();
    for (const std::string& kind : kinds) {
      resources.push_back({{"name", kind}});
      resources.push_back({{"name", kind + "/status"}});
    }
    transport_.Answer("GET", kEso + version, 200, DumpJson({{"resources", resources}}));
  }
  void ServeAll() {
    Serve("v1",
          {"secretstores", "clustersecretstores", "externalsecrets", "clusterexternalsecrets"});
    Serve("v1beta1", {"secretstores"});
    Serve("v1alpha1", {"pushsecrets"});
  }
  Findings Kinds(bool needed = true) { return CheckKinds(discovery_, api_, needed, {}); }
  Findings DriverWith(const json& changes) {
    json spec = {{"attachRequired", false},
                 {"podInfoOnMount", true},
                 {"requiresRepublish", true},
                 {"volumeLifecycleModes", {"Ephemeral"}}};
    spec.update(changes);
    cluster_.Put(kube::CsiDrivers(), {{"metadata", {{"name", kDriver}}}, {"spec", spec}});
    return CheckCsiDriver(api_, kDriver, {});
  }

  FakeClock clock_;
  FakeHttpTransport transport_;
  kube::Connection connection_{MakeConfig(), clock_};
  kube::Discovery discovery_{connection_, transport_, std::chrono::seconds(4)};
  FakeCluster cluster_;
  FakeCluster::Client api_{cluster_};
};

TEST_F(ClusterChecksTest, ApiServer) {
  transport_.Answer("GET", "/version", 200, R"({"gitVersion": "v1.36.0"})");
  const Findings found = CheckApiServer(discovery_, "https://10.0.0.1", clock_, {});
  ASSERT_EQ(found.size(), 1U) << "it says nothing of its clock";
  EXPECT_EQ(found[0].verdict, Verdict::kOk);
  EXPECT_EQ(found[0].text, "Kubernetes v1.36.0 at https://10.0.0.1");
  EXPECT_EQ(transport_.Requests().at(0).total_timeout, std::chrono::seconds(4));
}

TEST_F(ClusterChecksTest, ApiServerThatDoesNotAnswerOrRefuses) {
  transport_.AnswerError("GET", "/version", {Code::kUnavailable, "no route", {}});
  const Finding away = CheckApiServer(discovery_, "https://10.0.0.1", clock_, {}).at(0);
  EXPECT_EQ(away.verdict, Verdict::kFailed);
  EXPECT_NE(away.text.find("no route"), std::string::npos) << away.text;
  FakeHttpTransport refusing;
  refusing.Answer("GET", "/version", 401, "{}");
  kube::Discovery refused(connection_, refusing, std::chrono::seconds(4));
  const Finding finding = CheckApiServer(refused, "https://10.0.0.1", clock_, {}).at(0);
  EXPECT_EQ(finding.verdict, Verdict::kFailed);
  EXPECT_NE(finding.advice.find("credential"), std::string::npos) << finding.advice;
}

TEST_F(ClusterChecksTest, ClockIsWrongBeyondHalfAMinute) {
  const Clock::WallTime theirs = clock_.WallNow();
  const auto check = [&](std::chrono::seconds ahead) {
    return CheckClock("the API server", theirs, theirs + ahead).value();
  };
  EXPECT_EQ(check(std::chrono::seconds(30)).verdict, Verdict::kOk);
  EXPECT_EQ(check(std::chrono::seconds(-30)).verdict, Verdict::kOk);
  EXPECT_EQ(check(std::chrono::seconds(31)).text, "this node is 31s ahead of the API server");
  EXPECT_EQ(check(std::chrono::seconds(-90)).text, "this node is 1m30s behind the API server");
  EXPECT_EQ(check(std::chrono::seconds(-90)).verdict, Verdict::kFailed);
  EXPECT_FALSE(CheckClock("x", std::nullopt, theirs));
}

TEST_F(ClusterChecksTest, ApiServersClockIsCompared) {
  transport_.Answer("GET", "/version", 200, R"({"gitVersion": "v1.36.0"})",
                    {{"Date", "Thu, 01 Jan 1970 00:00:00 GMT"}});
  const Findings found = CheckApiServer(discovery_, "https://10.0.0.1", clock_, {});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].check, "clock");
  EXPECT_EQ(found[1].verdict, Verdict::kFailed);
}

TEST_F(ClusterChecksTest, CsiDriver) {
  EXPECT_EQ(CheckCsiDriver(api_, kDriver, {}).at(0).verdict, Verdict::kFailed) << "not there";
  EXPECT_EQ(DriverWith(json::object()).at(0).verdict, Verdict::kOk);
  EXPECT_EQ(DriverWith({{"volumeLifecycleModes", {"Persistent"}}}).at(0).verdict, Verdict::kFailed);
  EXPECT_EQ(DriverWith({{"podInfoOnMount", false}}).at(0).verdict, Verdict::kFailed);
  EXPECT_EQ(DriverWith({{"requiresRepublish", false}}).at(0).verdict, Verdict::kWarning);
  EXPECT_EQ(DriverWith({{"attachRequired", true}}).at(0).verdict, Verdict::kWarning);
  EXPECT_EQ(DriverWith({{"podInfoOnMount", false}, {"requiresRepublish", false}}).size(), 2U);
}

TEST_F(ClusterChecksTest, WhatMayNotBeReadIsSkipped) {
  api_.SetFault([](std::string_view, const kube::ObjectKey&) -> Status {
    return PermissionDenied("forbidden");
  });
  EXPECT_EQ(CheckCsiDriver(api_, kDriver, {}).at(0).verdict, Verdict::kSkipped);
  EXPECT_EQ(CheckCsiNode(api_, "node-1", kDriver, {}).verdict, Verdict::kSkipped);
}

TEST_F(ClusterChecksTest, CsiNode) {
  EXPECT_EQ(CheckCsiNode(api_, "", kDriver, {}).verdict, Verdict::kSkipped);
  EXPECT_EQ(CheckCsiNode(api_, "node-1", kDriver, {}).verdict, Verdict::kFailed);
  json node = {{"metadata", {{"name", "node-1"}}}, {"spec", {{"drivers", json::array()}}}};
  cluster_.Put(kube::CsiNodes(), node);
  EXPECT_EQ(CheckCsiNode(api_, "node-1", kDriver, {}).text,
            "node node-1 does not list csi.esc-agent.io");
  node["spec"]["drivers"] = json::array({{{"name", "other"}}, {{"name", kDriver}}});
  cluster_.Put(kube::CsiNodes(), node);
  EXPECT_EQ(CheckCsiNode(api_, "node-1", kDriver, {}).verdict, Verdict::kOk);
}

TEST_F(ClusterChecksTest, Kinds) {
  ServeAll();
  const Findings found = Kinds();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].text, "served: v1, v1beta1, v1alpha1 (PushSecret)");
  EXPECT_EQ(Kinds(false).at(0).verdict, Verdict::kSkipped);
}

TEST_F(ClusterChecksTest, WhoseTheKindsAre) {
  ServeAll();
  const kube::Resource definitions{"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                   "CustomResourceDefinition", false};
  json definition = {{"metadata", {{"name", "secretstores.external-secrets.io"}}}};
  cluster_.Put(definitions, definition);
  EXPECT_NE(Kinds().at(0).text.find("(esc-agent's)"), std::string::npos);
  definition["metadata"]["annotations"]["controller-gen.kubebuilder.io/version"] = "v0.19.0";
  cluster_.Put(definitions, definition);
  EXPECT_NE(Kinds().at(0).text.find("(External Secrets Operator's)"), std::string::npos);
}

TEST_F(ClusterChecksTest, KindsThatAreNotServed) {
  for (const char* version : {"v1", "v1beta1", "v1alpha1"}) {
    transport_.Answer("GET", std::string(kEso) + version, 404, "404 page not found");
  }
  const Finding none = Kinds().at(0);
  EXPECT_EQ(none.verdict, Verdict::kFailed);
  EXPECT_NE(none.text.find("secretstores, clustersecretstores"), std::string::npos) << none.text;
}

TEST_F(ClusterChecksTest, PushSecretAloneMayBeMissing) {
  ServeAll();
  FakeHttpTransport without;
  without.Answer("GET", std::string(kEso) + "v1", 200,
                 R"({"resources": [{"name": "secretstores"}, {"name": "clustersecretstores"},
                    {"name": "externalsecrets"}, {"name": "clusterexternalsecrets"}]})");
  without.Answer("GET", std::string(kEso) + "v1beta1", 404, "");
  without.Answer("GET", std::string(kEso) + "v1alpha1", 404, "");
  kube::Discovery discovery(connection_, without, std::chrono::seconds(4));
  const Findings found = CheckKinds(discovery, api_, true, {});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].verdict, Verdict::kOk);
  EXPECT_EQ(found[1].verdict, Verdict::kWarning);
}

}  // namespace
}  // namespace escagent::doctor
