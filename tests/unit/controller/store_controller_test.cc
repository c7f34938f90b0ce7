#include "agent/controller/store_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "tests/fakes/fake_esc_api.h"
#include "tests/unit/store/kube_store_fixture.h"

namespace escagent::controller {
namespace {

using escagent::testing::FakeEscApi;
using Operation = FakeEscApi::Operation;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

const kube::ObjectKey kAppKey{"", "app"};

// One agent that holds all shards, the stores of its cluster, and an ESC.
class StoreControllerTest : public store::KubeStoreTest {
 protected:
  StoreControllerTest() {
    esc_->SetEnvironmentJson("acme/web/dev", R"({"a":"b"})");
    PutToken("pul-abc");
    registry_.Start();
    listener_ = registry_.Listen(
        {.on_store = [this](const store::StoreId& id) { controller_->OnStoreChanged(id); }});
    leases_.Start({.on_gained = [this](int shard) { controller_->OnShardGained(shard); },
                   .on_lost = [this](int shard) { controller_->OnShardLost(shard); }});
    EXPECT_TRUE(Advancing([this] { return Held() == 8; }));
  }
  ~StoreControllerTest() override {
    esc_->Release(Operation::kHead);
    leases_.Release();
    registry_.Unlisten(listener_);
    controller_.reset();
  }

  int Held() const {
    int held = 0;
    for (int shard = 0; shard < 8; ++shard) held += leases_.Holds(shard) ? 1 : 0;
    return held;
  }
  // Waits for the condition, moving time on a little all the while.
  bool Advancing(const std::function<bool()>& condition) {
    return Until(condition, [this] { clock_.Advance(milliseconds(100)); });
  }
  // The same without time passing: for what happens at once.
  static bool AtOnce(const std::function<bool()>& condition) {
    return Until(condition, [] {});
  }
  static bool Until(const std::function<bool()>& condition, const std::function<void()>& step) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      step();
      std::this_thread::yield();
    }
    return true;
  }
  // "True Valid store validated"
  std::string Ready() const {
    const nlohmann::json store =
        cluster_.Get(store::StoreResource(store::StoreKind::kClusterSecretStore), kAppKey);
    const store::StoreStatus status = store::ReadStoreStatus(store);
    const store::StatusCondition* ready = status.Ready();
    return ready == nullptr ? "" : ready->status + " " + ready->reason + " " + ready->message;
  }
  bool IsReady() const { return Ready() == "True Valid store validated"; }
  int StatusWrites() const {
    int writes = 0;
    for (const std::string& write : cluster_.Writes()) writes += write.ends_with(" status") ? 1 : 0;
    return writes;
  }

  std::shared_ptr<FakeEscApi> esc_ = std::make_shared<FakeEscApi>();
  ShardLeases leases_{{.namespace_name = "esc-agent", .identity = "a"}, client_, client_, clock_};
  kube::EventRecorder events_{{}, client_, clock_};
  std::unique_ptr<StoreController> controller_ = std::make_unique<StoreController>(
      StoreController::Options(), client_, registry_,
      [this](const store::ResolvedStore&) { return esc_; }, leases_, events_, clock_);
  int listener_ = 0;
};

TEST_F(StoreControllerTest, AGoodStoreIsReadyAtOnceAndWrittenOnce) {
  PutClusterStore("app");
  EXPECT_TRUE(AtOnce([this] { return IsReady(); })) << Ready();
  EXPECT_EQ(cluster_.Get(store::StoreResource(store::StoreKind::kClusterSecretStore),
                         kAppKey)["status"]["capabilities"],
            "ReadWrite");
  const int heads = esc_->heads();
  EXPECT_TRUE(Advancing([&] { return esc_->heads() >= heads + 2; })) << "looked at now and then";
  EXPECT_EQ(StatusWrites(), 1) << "but not written";
}

TEST_F(StoreControllerTest, AStoreThatWasThereBeforeIsLookedAtToo) {
  registry_.Unlisten(listener_);  // nobody tells of it
  PutClusterStore("app");
  controller_->OnShardGained(leases_.ShardOf("app"));
  EXPECT_TRUE(AtOnce([this] { return IsReady(); })) << Ready();
}

TEST_F(StoreControllerTest, AMissingTokenIsTheCauseUntilItComes) {
  cluster_.Remove(kube::Secrets(), {"esc", "pulumi"});
  PutClusterStore("app");
  EXPECT_TRUE(AtOnce([this] { return !Ready().empty(); }));
  EXPECT_THAT(Ready(), HasSubstr("False InvalidProviderConfig unable to create client: "));
  EXPECT_THAT(Ready(), HasSubstr("there is no such Secret"));
  PutToken("pul-abc");
  EXPECT_TRUE(AtOnce([this] { return IsReady(); })) << Ready();
}

TEST_F(StoreControllerTest, ARevokedTokenIsNoticedAndANewOneAtOnce) {
  PutClusterStore("app", R"("refreshInterval":10,)");
  ASSERT_TRUE(AtOnce([this] { return IsReady(); }));
  esc_->Fail(Operation::kHead, {.code = Code::kUnauthenticated, .message = "token revoked"});
  EXPECT_TRUE(Advancing([this] {
    return Ready() == "False InvalidProviderConfig unable to validate store: token revoked";
  })) << Ready();
  esc_->StopFailing(Operation::kHead);
  PutToken("pul-new");
  EXPECT_TRUE(AtOnce([this] { return IsReady(); })) << Ready();
}

TEST_F(StoreControllerTest, AFailureIsTriedAgainSoon) {
  esc_->Fail(Operation::kHead, {.code = Code::kNotFound, .message = "no such environment"});
  PutClusterStore("app");
  EXPECT_TRUE(AtOnce([this] { return !Ready().empty(); }));
  esc_->StopFailing(Operation::kHead);
  const auto start = clock_.Now();
  EXPECT_TRUE(Advancing([this] { return IsReady(); })) << Ready();
  EXPECT_LT(clock_.Now() - start, minutes(5)) << "not only after the refresh interval";
}

TEST_F(StoreControllerTest, AnEscThatIsAwayLeavesAReadyStoreReady) {
  PutClusterStore("app", R"("refreshInterval":10,)");
  ASSERT_TRUE(AtOnce([this] { return IsReady(); }));
  esc_->Fail(Operation::kHead, {.code = Code::kUnavailable, .message = "no connection"});
  EXPECT_TRUE(Advancing([this] {
    return Ready() == "True ValidationUnknown could not determine validation status: no connection";
  })) << Ready();
  const int heads = esc_->heads();
  EXPECT_TRUE(Advancing([&] { return esc_->heads() >= heads + 3; }));
  EXPECT_EQ(StatusWrites(), 2) << "the same again is not written";
}

TEST_F(StoreControllerTest, AFaultySpecIsTheCause) {
  PutClusterStore("app", R"("refreshInterval":-1,)");
  EXPECT_TRUE(AtOnce([this] { return !Ready().empty(); }));
  EXPECT_THAT(Ready(), HasSubstr("spec.refreshInterval"));
  EXPECT_EQ(esc_->heads(), 0);
  PutClusterStore("app");
  EXPECT_TRUE(AtOnce([this] { return IsReady(); })) << Ready();
}

TEST_F(StoreControllerTest, OthersStoresAreLeftAlone) {
  PutClusterStore("app", R"("controller":"default",)");
  PutClusterStore("after");
  const auto after = [this] {
    return cluster_.Get(store::StoreResource(store::StoreKind::kClusterSecretStore), {"", "after"})
        .contains("status");
  };
  EXPECT_TRUE(AtOnce(after));
  EXPECT_EQ(Ready(), "");
}

TEST_F(StoreControllerTest, AHangingEscDoesNotHoldUpOtherStores) {
  // The first call hangs, the others go on: FakeEscApi blocks by operation, so the store that
  // hangs is the one that needs an open.
  esc_->Fail(Operation::kHead, {.code = Code::kUnimplemented, .message = "no HEAD"}, 1);
  esc_->Block(Operation::kOpen);
  PutClusterStore("slow");
  ASSERT_TRUE(esc_->WaitForBlocked(Operation::kOpen, 1));
  PutClusterStore("app");
  EXPECT_TRUE(AtOnce([this] { return IsReady(); })) << Ready();
  esc_->Release(Operation::kOpen);
}

TEST_F(StoreControllerTest, AStatusThatCouldNotBeWrittenIsWrittenLater) {
  client_.SetFault([](std::string_view verb, const kube::ObjectKey&) -> Status {
    if (verb == "patch") return Unavailable("the API server is busy");
    return {};
  });
  PutClusterStore("app");
  EXPECT_TRUE(AtOnce([this] { return client_.Calls("patch") >= 1; }));
  EXPECT_EQ(Ready(), "");
  client_.SetFault({});
  EXPECT_TRUE(Advancing([this] { return IsReady(); })) << Ready();
}

TEST_F(StoreControllerTest, NothingIsWrittenForAShardThatIsLost) {
  esc_->Block(Operation::kHead);
  PutClusterStore("app");
  ASSERT_TRUE(esc_->WaitForBlocked(Operation::kHead, 1));
  leases_.Release();
  esc_->Release(Operation::kHead);
  controller_->OnShardLost(leases_.ShardOf("app"));
  EXPECT_EQ(Ready(), "");
  EXPECT_EQ(StatusWrites(), 0);
}

}  // namespace
}  // namespace escagent::controller
