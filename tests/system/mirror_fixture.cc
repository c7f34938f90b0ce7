#include "tests/system/mirror_fixture.h"

#include <algorithm>
#include <cctype>
#include <iostream>

namespace escagent::testing {
namespace {

using apiserver::TestCluster;

// Null, with a reason, when it cannot be had.
struct Shared {
  std::unique_ptr<TestCluster> cluster;
  std::string problem;
};

Shared& SharedCluster(const std::string& kind) {
  static std::map<std::string, Shared> clusters;
  const auto [it, is_new] = clusters.try_emplace(kind);
  if (!is_new) return it->second;
  auto started = kind == "fake" ? TestCluster::Fake() : TestCluster::Real();
  if (!started) {
    it->second.problem = started.error().ToString();
    return it->second;
  }
  it->second.cluster = *std::move(started);
  if (const Status applied = it->second.cluster->Apply(CRD_FOLDER); !applied) {
    it->second.problem = applied.error().ToString();
  }
  return it->second;
}

// "TamperingIsRepaired/fake" as the name of a namespace.
std::string TestName() {
  std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '-');
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.substr(0, 40);
}

}  // namespace

void MirrorTest::SetUp() {
  const std::string kind = GetParam();
  Shared& shared = SharedCluster(kind);
  if (shared.cluster == nullptr && kind == "real") GTEST_SKIP() << shared.problem;
  ASSERT_NE(shared.cluster, nullptr) << shared.problem;
  ASSERT_EQ(shared.problem, "");
  cluster_ = shared.cluster.get();
  bed_ = std::make_unique<MirrorBed>(*cluster_, TestName());
}

void MirrorTest::TearDown() {
  if (bed_ != nullptr && HasFailure()) std::cout << "agent 0:\n" << bed_->AgentLog(0) << "\n";
  bed_.reset();
  if (cluster_ != nullptr && IsFake()) {
    cluster_->fake().faults().Clear();
    cluster_->fake().faults().SetDown(false);
  }
}

std::uint64_t MirrorTest::Writes(const std::string& resource) const {
  return cluster_->fake().log().Writes(resource);
}

}  // namespace escagent::testing
