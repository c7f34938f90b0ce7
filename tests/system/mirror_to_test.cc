// Volumes beside the mirror: mirrorTo, and an API server that is away.

#include <chrono>
#include <string>

#include "tests/system/mirror_fixture.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

const MirrorBed::Data kApp = {{"hello", "world"}, {"hello-secret", "secret"}};

class MirrorToTest : public MirrorTest {
 protected:
  std::map<std::string, std::string> Attributes(const std::string& mirror_to) const {
    std::map<std::string, std::string> attributes = {
        {"clusterSecretStore", bed_->name() + "-store"},
        {"path", "app"},
        {"refreshInterval", "1s"}};
    if (!mirror_to.empty()) attributes["mirrorTo"] = mirror_to;
    return attributes;
  }
  std::size_t Owners(const std::string& secret) const {
    const json object = bed_->Get(bed_->SecretPath(secret));
    return object.is_object() ? object["metadata"].value("ownerReferences", json::array()).size()
                              : 0;
  }
  // As kubelet does: again and again.
  Result<std::string> Publish(const InlineVolume& volume, std::size_t index) {
    Result<std::string> target = bed_->Publish(volume, index);
    WaitFor(
        [&] {
          if (!target) target = bed_->Publish(volume, index);
          return target.has_value();
        },
        seconds(30));
    return target;
  }
};

INSTANTIATE_TEST_SUITE_P(Api, MirrorToTest, ::testing::Values("fake", "real"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(MirrorToTest, TheSecretIsThereBeforeThePodAndGoesWithTheLast) {
  bed_->ApplyClusterStore("store", "app");
  bed_->StartAgent(0);
  bed_->StartAgent(1);
  const InlineVolume one = bed_->Volume("one", bed_->MakePod("one"), Attributes("app-env"));
  const InlineVolume two = bed_->Volume("two", bed_->MakePod("two"), Attributes("app-env"));
  const Result<std::string> target = Publish(one, 0);
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(bed_->SecretData("app-env"), kApp);  // at once
  EXPECT_EQ(ReadAll(*target + "/hello"), "world");
  const Result<std::string> other = Publish(two, 1);
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(Owners("app-env"), 2U);

  bed_->WriteEnvironment("app", "values: {app: {hello: again}}\n");
  EXPECT_TRUE(bed_->AwaitSecret("app-env", {{"hello", "again"}}));
  EXPECT_TRUE(WaitFor([&] { return ReadAll(*other + "/hello") == "again"; }, seconds(30)));
  EXPECT_EQ(Owners("app-env"), 2U);

  ASSERT_TRUE(bed_->Unpublish(one, 0));
  EXPECT_TRUE(WaitFor([&] { return Owners("app-env") == 1; }, seconds(30)));
  ASSERT_TRUE(bed_->Unpublish(two, 1));
  EXPECT_TRUE(bed_->AwaitSecret("app-env", {}));
}

TEST_P(MirrorToTest, ASecretThatIsSomebodyElsesIsNotOverwritten) {
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply({{"apiVersion", "v1"},
               {"kind", "Secret"},
               {"metadata", {{"name", "theirs"}, {"namespace", bed_->name()}}},
               {"stringData", {{"it", "stays"}}}});
  bed_->StartAgent(0);
  const InlineVolume volume = bed_->Volume("one", bed_->MakePod("one"), Attributes("theirs"));
  Result<std::string> target = bed_->Publish(volume);
  EXPECT_TRUE(WaitFor(
      [&] {
        if (!target && target.error().code == Code::kFailedPrecondition) return true;
        target = bed_->Publish(volume);
        return false;
      },
      seconds(30)))
      << (target ? "mounted" : target.error().message);
  EXPECT_EQ(bed_->SecretData("theirs"), (MirrorBed::Data{{"it", "stays"}}));
}

TEST_P(MirrorToTest, VolumesDoNotNeedTheApiServer) {
  if (!IsFake()) GTEST_SKIP() << "the real server is not stopped for this";
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  bed_->StartAgent(0);
  const InlineVolume mounted = bed_->Volume("one", "uid-one", Attributes(""));
  const Result<std::string> target = Publish(mounted, 0);
  ASSERT_TRUE(target) << target.error().message;
  ASSERT_TRUE(bed_->AwaitSecret("app", kApp));
  cluster_->fake().faults().SetDown(true);
  // A mounted one follows, and a new one of a store that is known is mounted.
  bed_->WriteEnvironment("app", "values: {app: {hello: meanwhile}}\n");
  EXPECT_TRUE(WaitFor([&] { return ReadAll(*target + "/hello") == "meanwhile"; }, seconds(30)));
  const Result<std::string> other = bed_->Publish(bed_->Volume("two", "uid-two", Attributes("")));
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(ReadAll(*other + "/hello"), "meanwhile");
  cluster_->fake().faults().SetDown(false);
  EXPECT_TRUE(bed_->AwaitSecret("app", {{"hello", "meanwhile"}}));
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  escagent::testing::EnterPrivateMountNamespace();
  return RUN_ALL_TESTS();
}
