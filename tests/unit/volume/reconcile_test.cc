#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/volume/volume_fixture.h"

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ReconcileTest : public VolumeTest {
 protected:
  // How many volumes are subscribed as the identity of this token.
  int SubscribersOf(const std::string& token) {
    for (const cache::EnvironmentStatus& environment : cache_->List()) {
      if (environment.key.identity == Sha256Hex(token)) return environment.subscribers;
    }
    return 0;
  }
};

TEST_F(ReconcileTest, WithoutAChangeNothingHappens) {
  ASSERT_TRUE(Publish(Request()));
  manager().Reconcile();
  EXPECT_EQ(esc_->opens(), 1);
  EXPECT_TRUE(Events(VolumeEvent::Kind::kResubscribe).empty());
}

TEST_F(ReconcileTest, ANewTokenIsANewSubscriptionWithoutARemount) {
  ASSERT_TRUE(Publish(Request()));
  ASSERT_TRUE(Publish(Request("csi-2", {{"secretStore", "app"}}, "second")));
  stores_.SetStore("default/app", kDev, Token("2"));
  manager().Reconcile();
  EXPECT_EQ(SubscribersOf(Token("1")), 0);
  EXPECT_EQ(SubscribersOf(Token("2")), 2);
  EXPECT_EQ(esc_->opens(), 2);
  EXPECT_EQ(mounter_.MountCalls(), 2);
  EXPECT_EQ(mounter_.MountAt(Target())->specs.size(), 1U);  // same content: no swap

  esc_->SetEnvironmentJson(kDev, Json("new"));
  ASSERT_TRUE(AdvanceUntil([&] {
    return mounter_.Read(Target(), "hello") == "new" &&
           mounter_.Read(Target("second"), "hello") == "new";
  }));
}

TEST_F(ReconcileTest, ARepublishDoesTheSameInTheBackground) {
  ASSERT_TRUE(Publish(Request()));
  stores_.SetStore("default/app", kDev, Token("2"));
  ASSERT_TRUE(Publish(Request()));
  EXPECT_TRUE(Eventually([&] { return SubscribersOf(Token("2")) == 1; }));
  EXPECT_TRUE(Eventually([&] { return SubscribersOf(Token("1")) == 0; }));
}

TEST_F(ReconcileTest, AStoreThatNamesAnotherEnvironmentShowsThatOne) {
  esc_->SetEnvironmentJson(kProd, Json("prod"));
  ASSERT_TRUE(Publish(Request()));
  stores_.SetStore("default/app", kProd, Token("1"));
  manager().Reconcile();
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "prod");
  EXPECT_EQ(manager().List()[0].environment, kProd);
  EXPECT_EQ(manager().List()[0].generation, 2U);
}

TEST_F(ReconcileTest, AFailureKeepsTheOldSubscriptionAndIsTriedAgain) {
  ASSERT_TRUE(Publish(Request()));
  ASSERT_TRUE(Publish(Request("csi-2", {{"secretStore", "app"}}, "second")));
  stores_.SetStore("default/app", kDev, Token("2"));
  esc_->Fail(Operation::kOpen, Error{Code::kUnauthenticated, "token is revoked"});
  manager().Reconcile();
  EXPECT_EQ(SubscribersOf(Token("1")), 2);
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  EXPECT_TRUE(StatsOf("csi-1").abnormal);
  EXPECT_THAT(StatsOf("csi-2", "second").condition, HasSubstr("token is revoked"));
  EXPECT_THAT(StatsOf("csi-1").condition, Not(HasSubstr(kCanary)));
  // One try for both, and still OK for kubelet.
  EXPECT_EQ(esc_->opens(), 2);
  EXPECT_TRUE(Publish(Request()));

  esc_->StopFailing(Operation::kOpen);
  ASSERT_TRUE(AdvanceUntil([&] { return SubscribersOf(Token("2")) == 2; }));
  EXPECT_TRUE(Eventually([&] { return !StatsOf("csi-1").abnormal; }));
}

TEST_F(ReconcileTest, AStoreThatIsGoneKeepsTheVolumeAndShows) {
  ASSERT_TRUE(Publish(Request()));
  stores_.Fail(Error{Code::kNotFound, "store default/app: there is none"});
  manager().Reconcile();
  EXPECT_TRUE(StatsOf("csi-1").abnormal);
  EXPECT_THAT(StatsOf("csi-1").condition, HasSubstr("there is none"));
  EXPECT_EQ(SubscribersOf(Token("1")), 1);
  // It is still refreshed with what was known.
  esc_->SetEnvironmentJson(kDev, Json("new"));
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "new"; }));

  stores_.Fail(std::nullopt);
  ASSERT_TRUE(AdvanceUntil([&] { return !StatsOf("csi-1").abnormal; }));
}

}  // namespace
}  // namespace escagent::volume
