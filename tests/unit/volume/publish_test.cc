#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <vector>

#include "tests/unit/volume/volume_fixture.h"

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PublishTest : public VolumeTest {};

TEST_F(PublishTest, MountsTheEnvironmentAtTheTarget) {
  const Status status = Publish(Request());
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_TRUE(Exists(Target()));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  EXPECT_EQ(mounter_.Read(Target(), "app/user"), kCanary);
  EXPECT_EQ(Events(VolumeEvent::Kind::kPublish).size(), 1U);

  const auto list = manager().List();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].volume_id, "csi-1");
  EXPECT_EQ(list[0].target, Target());
  EXPECT_EQ(list[0].pod.name, "podinfo");
  EXPECT_EQ(list[0].store, "SecretStore default/app");
  EXPECT_EQ(list[0].environment, kDev);
  EXPECT_EQ(list[0].generation, 1U);
  EXPECT_TRUE(list[0].served);
  EXPECT_FALSE(list[0].abnormal);
  EXPECT_EQ(list[0].condition, "mounted");
  ASSERT_TRUE(list[0].refresh_age);
  EXPECT_EQ(list[0].mounted_at, clock_.WallNow());
}

TEST_F(PublishTest, HandsTheMountOptionsOn) {
  csi::PublishRequest request =
      Request("csi-1", {{"secretStore", "app"}, {"cache", "none"}, {"uid", "7"}});
  request.mount_flags = {"context=system_u:object_r:container_file_t:s0"};
  request.volume_mount_group = "2000";
  ASSERT_TRUE(Publish(request));
  const auto mount = mounter_.MountAt(Target());
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->options.cache, fuse::CacheProfile::kNone);
  EXPECT_EQ(mount->options.selinux_context, "system_u:object_r:container_file_t:s0");
  EXPECT_EQ(mount->specs.back().uid, 7U);
  EXPECT_EQ(mount->specs.back().gid, 2000U);
  EXPECT_EQ(mount->specs.back().files[0].mode, 0440U);
}

TEST_F(PublishTest, VolumesOfOneEnvironmentShareOneOpen) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = std::to_string(i);
    ASSERT_TRUE(Publish(Request(name, {{"secretStore", "app"}}, name)));
  }
  EXPECT_EQ(esc_->opens(), 1);
  const auto first = mounter_.MountAt(Target("0"));
  const auto last = mounter_.MountAt(Target("19"));
  EXPECT_EQ(first->specs[0].files[0].content.get(), last->specs[0].files[0].content.get());
}

TEST_F(PublishTest, ClusterStoresAreAskedToo) {
  stores_.SetStore("shared", kDev, Token("1"));
  ASSERT_TRUE(Publish(Request("csi-1", {{"clusterSecretStore", "shared"}})));
  EXPECT_EQ(manager().List()[0].store, "ClusterSecretStore shared");
}

TEST_F(PublishTest, ManyThreadsPublishOneVolumeOnce) {
  static_cast<void>(manager());
  std::atomic<int> succeeded = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        if (Publish(Request())) ++succeeded;
      });
    }
  }
  EXPECT_EQ(succeeded, 8);
  EXPECT_EQ(mounter_.MountCalls(), 1);
  EXPECT_EQ(esc_->opens(), 1);
}

TEST_F(PublishTest, AVolumeThatWaitsForEscHoldsUpNoOther) {
  esc_->SetEnvironmentJson(kProd, Json("prod"));
  stores_.SetStore("default/prod", kProd, Token("1"));
  ASSERT_TRUE(Publish(Request()));
  esc_->Block(Operation::kOpen);
  std::jthread slow(
      [this] { EXPECT_TRUE(Publish(Request("slow", {{"secretStore", "prod"}}, "slow"))); });
  ASSERT_TRUE(esc_->WaitForBlocked(Operation::kOpen, 1));
  EXPECT_TRUE(Publish(Request("fast", {{"secretStore", "app"}}, "fast")));
  EXPECT_EQ(manager().List().size(), 2U);
  esc_->Release(Operation::kOpen);
}

TEST_F(PublishTest, WhileEscIsAskedTheAnswerIsNotYet) {
  esc_->Block(Operation::kOpen);
  const csi::PublishRequest request = Request();
  const Status first = manager().Publish(request);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::kUnavailable);
  EXPECT_EQ(first.error().retry_after, 25ms);
  ASSERT_TRUE(esc_->WaitForBlocked(Operation::kOpen, 1));
  EXPECT_FALSE(Exists(Target()));
  EXPECT_TRUE(manager().List().empty());

  // Half-way through; then the patience is over, and that is the answer.
  clock_.Advance(8950ms);
  const Status late = manager().Publish(request);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().retry_after, 50ms);
  EXPECT_TRUE(Events(VolumeEvent::Kind::kPublish).empty());
  clock_.Advance(50ms);
  const Status last = manager().Publish(request);
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Code::kUnavailable);
  EXPECT_EQ(last.error().retry_after, 0ms);
  EXPECT_THAT(last.error().message, HasSubstr("acme/web/dev"));
  EXPECT_THAT(last.error().message, HasSubstr("within 9s"));
  ASSERT_EQ(Events(VolumeEvent::Kind::kPublish).size(), 1U);
  EXPECT_EQ(Events(VolumeEvent::Kind::kPublish)[0].duration, 9s);

  // kubelet's next call finds what became of it.
  esc_->Release(Operation::kOpen);
  EXPECT_TRUE(Publish(Request()));
  EXPECT_EQ(esc_->opens(), 1);
}

TEST_F(PublishTest, ARetryAfterThatIsTooLongIsTheAnswer) {
  esc_->Fail(Operation::kOpen, Error{Code::kUnavailable, "maintenance", 30s});
  const csi::PublishRequest request = Request();
  ASSERT_TRUE(Eventually([&] {
    const Status status = manager().Publish(request);
    return !status && status.error().retry_after == 30s;
  }));
  EXPECT_EQ(Events(VolumeEvent::Kind::kPublish).size(), 1U);
}

TEST_F(PublishTest, AVolumeUnpublishedWhileItWaitsDoesNotComeBack) {
  esc_->Block(Operation::kOpen);
  const csi::PublishRequest waiting = Request();
  ASSERT_FALSE(manager().Publish(waiting));
  clock_.Advance(1s);
  ASSERT_TRUE(manager().Unpublish("csi-1", Target()));
  esc_->Release(Operation::kOpen);
  const Status status = Publish(waiting);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kAborted);
  EXPECT_FALSE(Exists(Target()));
  // A new call is another matter.
  EXPECT_TRUE(Publish(Request()));
}

TEST_F(PublishTest, ASecondOperationOnAVolumeDoesNotWaitForEver) {
  options_.patience = 1ms;
  std::latch publishing(1);
  std::latch go_on(1);
  options_.observer = [&](const VolumeEvent&) {
    publishing.count_down();
    go_on.wait();
  };
  static_cast<void>(manager());
  std::jthread slow([&] { EXPECT_TRUE(Publish(Request())); });
  publishing.wait();
  const Status second = Publish(Request());
  const Status unpublish = manager().Unpublish("csi-1", Target());
  go_on.count_down();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAborted);
  ASSERT_FALSE(unpublish);
  EXPECT_EQ(unpublish.error().code, Code::kAborted);
}

TEST_F(PublishTest, ATargetBelongsToOneVolume) {
  ASSERT_TRUE(Publish(Request("one")));
  const Status status = Publish(Request("two"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(status.error().message, HasSubstr("one"));
  EXPECT_EQ(mounter_.MountCalls(), 1);
}

struct FailingStep {
  const char* description;
  std::function<void(testing::FakeEscApi&, testing::FakeStoreRegistry&, testing::FakeMounter&)>
      break_it;
  Attributes attributes;
  Code code;
};

class FailingPublishTest : public VolumeTest, public ::testing::WithParamInterface<FailingStep> {};

TEST_P(FailingPublishTest, LeavesNothingBehind) {
  const FailingStep& step = GetParam();
  step.break_it(*esc_, stores_, mounter_);
  const Status status = Publish(Request("csi-1", step.attributes));
  ASSERT_FALSE(status) << step.description;
  EXPECT_EQ(status.error().code, step.code) << step.description << ": " << status.error().message;
  EXPECT_THAT(status.error().message, Not(HasSubstr(kCanary)));
  EXPECT_FALSE(status.error().message.empty());
  EXPECT_FALSE(Exists(Target())) << step.description;
  EXPECT_EQ(mounter_.MountCount(), 0U);
  EXPECT_TRUE(manager().List().empty());
  for (const cache::EnvironmentStatus& environment : cache_->List()) {
    EXPECT_EQ(environment.subscribers, 0) << step.description;
  }
  const auto events = Events(VolumeEvent::Kind::kPublish);
  ASSERT_EQ(events.size(), 1U);
  ASSERT_TRUE(events[0].error);
  EXPECT_EQ(events[0].error->code, step.code);
  // The source is named as soon as the attributes are understood.
  EXPECT_EQ(events[0].source.store.empty(), std::string_view(step.description) == "wrong attribute")
      << step.description;

  // And nothing in the way of the next try.
  esc_->StopFailing(Operation::kOpen);
  esc_->StopFailing(Operation::kReadSession);
  esc_->SetEnvironmentJson(kDev, Json("world"));
  stores_.Fail(std::nullopt);
  mounter_.FailMount(std::nullopt);
  ASSERT_TRUE(Eventually([this] {
    clock_.Advance(1s);
    return Publish(Request()).has_value();
  }));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
}

void BreakNothing(testing::FakeEscApi&, testing::FakeStoreRegistry&, testing::FakeMounter&) {}

auto FailOpen(Code code) {
  return [code](testing::FakeEscApi& esc, testing::FakeStoreRegistry&, testing::FakeMounter&) {
    esc.Fail(Operation::kOpen, Error{code, "ESC says no"});
  };
}

INSTANTIATE_TEST_SUITE_P(
    Steps, FailingPublishTest,
    ::testing::Values(
        FailingStep{"wrong attribute",
                    BreakNothing,
                    {{"secretStore", "app"}, {"mode", "x"}},
                    Code::kInvalidArgument},
        FailingStep{"no such store", BreakNothing, {{"secretStore", "other"}}, Code::kNotFound},
        FailingStep{"store not for this namespace",
                    [](auto&, testing::FakeStoreRegistry& stores, auto&) {
                      stores.Fail(Error{Code::kPermissionDenied, "not for namespace default"});
                    },
                    {{"clusterSecretStore", "app"}},
                    Code::kPermissionDenied},
        FailingStep{"token cannot be read",
                    [](auto&, testing::FakeStoreRegistry& stores, auto&) {
                      stores.Fail(Error{Code::kUnauthenticated, "no token"});
                    },
                    {{"secretStore", "app"}},
                    Code::kUnauthenticated},
        FailingStep{"unknown store stays an error when optional",
                    BreakNothing,
                    {{"secretStore", "other"}, {"optional", "true"}},
                    Code::kNotFound},
        FailingStep{
            "ESC down", FailOpen(Code::kUnavailable), {{"secretStore", "app"}}, Code::kUnavailable},
        FailingStep{"ESC slow",
                    FailOpen(Code::kDeadlineExceeded),
                    {{"secretStore", "app"}},
                    Code::kUnavailable},
        FailingStep{"ESC down is not optional",
                    FailOpen(Code::kUnavailable),
                    {{"secretStore", "app"}, {"optional", "true"}},
                    Code::kUnavailable},
        FailingStep{"401",
                    FailOpen(Code::kUnauthenticated),
                    {{"secretStore", "app"}},
                    Code::kUnauthenticated},
        FailingStep{"403",
                    FailOpen(Code::kPermissionDenied),
                    {{"secretStore", "app"}},
                    Code::kPermissionDenied},
        FailingStep{"no such environment",
                    [](testing::FakeEscApi& esc, auto&, auto&) { esc.RemoveEnvironment(kDev); },
                    {{"secretStore", "app"}},
                    Code::kNotFound},
        FailingStep{"session cannot be read",
                    [](testing::FakeEscApi& esc, auto&, auto&) {
                      esc.Fail(Operation::kReadSession, Error{Code::kUnavailable, "reset"});
                    },
                    {{"secretStore", "app"}},
                    Code::kUnavailable},
        FailingStep{"no such path",
                    BreakNothing,
                    {{"secretStore", "app"}, {"path", "app.usr"}},
                    Code::kNotFound},
        FailingStep{"item is not base64",
                    BreakNothing,
                    {{"secretStore", "app"}, {"items", "[{path: app.user, encoding: base64}]"}},
                    Code::kInvalidArgument},
        FailingStep{"a key that escapes",
                    [](testing::FakeEscApi& esc, auto&, auto&) {
                      esc.SetEnvironmentJson(kDev, R"({"../x": "canary-7f3a"})");
                    },
                    {{"secretStore", "app"}},
                    Code::kInvalidArgument},
        FailingStep{"mount fails",
                    [](auto&, auto&, testing::FakeMounter& mounter) {
                      mounter.FailMount(Error{Code::kInternal, "mount: Operation not permitted"});
                    },
                    {{"secretStore", "app"}},
                    Code::kInternal}),
    [](const auto& step) { return "Step" + std::to_string(step.index); });

TEST_F(PublishTest, WithoutAParentFolderNothingIsMounted) {
  const Status status = Publish(Request("csi-1", {{"secretStore", "app"}}, "no/mount"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(mounter_.MountCalls(), 0);
  EXPECT_TRUE(manager().List().empty());
}

TEST_F(PublishTest, AFolderThatWasThereBeforeStaysAfterAFailure) {
  std::filesystem::create_directory(Target());
  mounter_.FailMount(Error{Code::kInternal, "no"});
  EXPECT_FALSE(Publish(Request()));
  EXPECT_TRUE(Exists(Target()));
}

TEST_F(PublishTest, WrongRequestsAreRefused) {
  csi::PublishRequest relative = Request();
  relative.target_path = "a/b";
  csi::PublishRequest dots = Request();
  dots.target_path = folder_.path() + "/../x";
  csi::PublishRequest flags = Request();
  flags.mount_flags = {"suid"};
  csi::PublishRequest group = Request();
  group.volume_mount_group = "staff";
  for (csi::PublishRequest* const request : {&relative, &dots, &flags, &group}) {
    const Status status = Publish(*request);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kInvalidArgument);
  }
  EXPECT_EQ(esc_->opens(), 0);
}

TEST_F(PublishTest, IsHealthyWhenItsMounterIs) {
  EXPECT_TRUE(manager().Healthy());
  mounter_.FailHealth(Error{.code = Code::kFailedPrecondition, .message = "no /dev/fuse"});
  const Status missing = manager().Healthy();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "no /dev/fuse");
}

TEST_F(PublishTest, ShutdownEndsWhatWaitsAndKeepsTheMounts) {
  ASSERT_TRUE(Publish(Request()));
  esc_->SetEnvironmentJson(kProd, Json("prod"));
  stores_.SetStore("default/prod", kProd, Token("1"));
  esc_->Block(Operation::kOpen);
  const csi::PublishRequest waiting = Request("slow", {{"secretStore", "prod"}}, "slow");
  ASSERT_FALSE(manager().Publish(waiting));
  manager().Shutdown();
  esc_->Release(Operation::kOpen);
  EXPECT_TRUE(mounter_.MountAt(Target()));
  EXPECT_TRUE(manager().List().empty());
  const csi::PublishRequest late = Request();
  for (const csi::PublishRequest* const request : {&waiting, &late}) {
    const Status status = manager().Publish(*request);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kUnavailable);
    EXPECT_EQ(status.error().retry_after, 0ms);
    EXPECT_THAT(status.error().message, HasSubstr("stopping"));
  }
  EXPECT_FALSE(Exists(Target("slow")));
}

}  // namespace
}  // namespace escagent::volume
