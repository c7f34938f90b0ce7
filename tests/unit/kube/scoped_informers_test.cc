#include "kube/scoped_informers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/kube/informer_recorder.h"

namespace escagent::kube {
namespace {

using ::testing::ElementsAre;
using Lines = InformerRecorder::Lines;

// Informers whose news the test gives by hand, by namespace.
class HandDriven final : public Informers {
 public:
  InformerHandle Start(Selection selection, std::shared_ptr<InformerHandler> handler) override {
    handlers_[selection.namespace_name] = std::move(handler);
    selections_.push_back(selection);
    return InformerHandle(std::make_unique<Handle>(*this, selection.namespace_name));
  }

  // To be held by who calls it, as informers do: the call may end the informer.
  std::shared_ptr<InformerHandler> Of(const std::string& namespace_name) const {
    return handlers_.at(namespace_name);
  }
  const std::vector<Selection>& selections() const { return selections_; }
  std::size_t running() const { return handlers_.size(); }

 private:
  class Handle final : public InformerHandle::Impl {
   public:
    Handle(HandDriven& informers, std::string namespace_name)
        : informers_(informers), namespace_name_(std::move(namespace_name)) {}
    ~Handle() override { informers_.handlers_.erase(namespace_name_); }

   private:
    HandDriven& informers_;
    const std::string namespace_name_;
  };

  std::map<std::string, std::shared_ptr<InformerHandler>> handlers_;
  std::vector<Selection> selections_;
};

Object SecretObject(const std::string& namespace_name, const std::string& name) {
  return Object(nlohmann::json{
      {"metadata", {{"namespace", namespace_name}, {"name", name}, {"resourceVersion", "1"}}}});
}

Status Forbidden(const std::string& why) { return MakeError(Code::kPermissionDenied, why); }

class ScopedInformersTest : public ::testing::Test {
 protected:
  void Start(const std::string& scope, Selection selection = {.resource = Secrets()}) {
    scoped_ = std::make_unique<ScopedInformers>(*NamespaceScope::Parse(scope), below_);
    handle_ = scoped_->Start(std::move(selection), recorder_);
  }
  Lines Next() { return recorder_->AwaitNext(0); }

  HandDriven below_;
  std::shared_ptr<InformerRecorder> recorder_ = std::make_shared<InformerRecorder>();
  std::unique_ptr<ScopedInformers> scoped_;
  InformerHandle handle_;
};

TEST_F(ScopedInformersTest, AskForNothingButTheNamespaces) {
  Start("b,a", {.resource = Secrets(),
                .namespace_name = {},
                .label_selector = "x=y",
                .field_selector = {},
                .metadata_only = true,
                .watch_only = true});
  ASSERT_EQ(below_.selections().size(), 2U);
  for (const Selection& selection : below_.selections()) {
    EXPECT_EQ(selection.resource, Secrets());
    EXPECT_EQ(selection.label_selector, "x=y");
    EXPECT_TRUE(selection.metadata_only && selection.watch_only);
  }
  EXPECT_EQ(below_.selections()[0].namespace_name, "a");
  EXPECT_EQ(below_.selections()[1].namespace_name, "b");
  handle_ = InformerHandle();
  EXPECT_EQ(below_.running(), 0U);
}

TEST_F(ScopedInformersTest, WhatIsNarrowerIsPassedOn) {
  Start("a,b", {.resource = Leases(), .namespace_name = "agents"});
  ASSERT_EQ(below_.selections().size(), 1U);
  EXPECT_EQ(below_.selections()[0].namespace_name, "agents");
  below_.Of("agents")->OnSynced();
  EXPECT_THAT(Next(), ElementsAre("synced"));
  Start("a,b", {.resource = Namespaces()});
  Start("", {.resource = Secrets()});
  ASSERT_EQ(below_.selections().size(), 3U);
  EXPECT_EQ(below_.selections()[1].namespace_name, "");
  EXPECT_EQ(below_.selections()[2].namespace_name, "");
}

TEST_F(ScopedInformersTest, AreSyncedOnceAfterAllNamespaces) {
  Start("a,b");
  below_.Of("b")->OnUpsert(SecretObject("b", "x"), true);
  below_.Of("b")->OnSynced();
  below_.Of("a")->OnUpsert(SecretObject("a", "x"), true);
  EXPECT_THAT(Next(), ElementsAre("upsert b/x v1 initial", "upsert a/x v1 initial"));
  below_.Of("a")->OnSynced();
  EXPECT_THAT(Next(), ElementsAre("synced"));
  below_.Of("a")->OnDelete({"a", "x"});
  EXPECT_THAT(Next(), ElementsAre("delete a/x"));
}

TEST_F(ScopedInformersTest, ANamespaceWithoutRightsHoldsNobodyUp) {
  Start("a,b");
  below_.Of("a")->OnSynced();
  below_.Of("b")->OnHealth(Unavailable("away"));
  EXPECT_THAT(Next(), ElementsAre("health UNAVAILABLE")) << "it may come";
  below_.Of("b")->OnHealth(Forbidden("b"));
  EXPECT_THAT(Next(), ElementsAre("health PERMISSION_DENIED", "synced"));
  below_.Of("b")->OnHealth({});
  below_.Of("b")->OnUpsert(SecretObject("b", "x"), true);
  below_.Of("b")->OnSynced();
  EXPECT_THAT(Next(), ElementsAre("health OK", "upsert b/x v1 initial")) << "it was told once";
}

TEST_F(ScopedInformersTest, AreHealthyWhenAllNamespacesAre) {
  Start("a,b");
  below_.Of("a")->OnHealth(Forbidden("no rights in a"));
  below_.Of("b")->OnHealth(Forbidden("no rights in b"));
  EXPECT_EQ(recorder_->HealthMessage(), "no rights in b");
  below_.Of("b")->OnHealth({});
  EXPECT_EQ(recorder_->HealthMessage(), "no rights in a");
  below_.Of("a")->OnHealth({});
  EXPECT_EQ(recorder_->HealthMessage(), "");
}

// The recorder fails the test when two calls overlap.
TEST_F(ScopedInformersTest, CallOneAtATimeInOrder) {
  constexpr int kObjects = 2000;
  Start("a,b,c");
  {
    std::vector<std::jthread> threads;
    for (const std::string name : {"a", "b", "c"}) {
      threads.emplace_back([this, name] {
        for (int i = 0; i < kObjects; ++i) {
          below_.Of(name)->OnUpsert(SecretObject(name, "x"), false);
          below_.Of(name)->OnDelete({name, "x"});
        }
        below_.Of(name)->OnSynced();
      });
    }
  }
  Lines lines = Next();
  ASSERT_EQ(lines.size(), 3 * 2 * kObjects + 1U);
  EXPECT_EQ(lines.back(), "synced");
  lines.pop_back();
  std::map<char, bool> there;
  for (const std::string& line : lines) {
    const bool upsert = line.starts_with("upsert");
    bool& before = there[line[7]];
    EXPECT_NE(before, upsert) << line << " out of order";
    before = upsert;
  }
}

TEST_F(ScopedInformersTest, MayBeEndedByTheirHandler) {
  Start("a,b");
  recorder_->on_call = [this](const std::string& line) {
    if (!line.starts_with("upsert")) return;
    // Waits, then, behind the call that ends all.
    below_.Of("b")->OnDelete({"b", "x"});
    handle_ = InformerHandle();
  };
  below_.Of("a")->OnUpsert(SecretObject("a", "x"), false);
  EXPECT_THAT(Next(), ElementsAre("upsert a/x v1"));
  EXPECT_EQ(below_.running(), 0U);
}

}  // namespace
}  // namespace escagent::kube
