#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "kube/lease.h"
#include "kube/token_review.h"
#include "tests/component/kube/api_server_fixture.h"

// What the client relies on, asked of the server for tests and of a real one.

namespace escagent::kube {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using ClientApiTest = ApiServerTest;

TEST_P(ClientApiTest, ASecretsLife) {
  const ObjectKey key{NewNamespace("life"), "app"};
  Result<Object> created = client().Create(Secrets(), SecretOf(key, "aHVzaA=="), {});
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_FALSE(created->Uid().empty());

  Result<Object> again = client().Create(Secrets(), SecretOf(key, "aHVzaA=="), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_THAT(again.error().message, HasSubstr("\"app\" already exists"));

  Result<Object> object = client().Get(Secrets(), key, {});
  ASSERT_TRUE(object);
  EXPECT_EQ(object->json()["data"]["a"], "aHVzaA==");
  EXPECT_EQ(object->json()["type"], "Opaque");
  object->json()["data"]["b"] = "Yg==";
  const Object old = object->Clone();
  object = client().Replace(Secrets(), *object, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_NE(object->ResourceVersion(), created->ResourceVersion());
  const Result<Object> late = client().Replace(Secrets(), old, {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kAborted) << late.error().message;

  const Status others =
      client().Delete(Secrets(), key, {.uid = "another", .resource_version = ""}, {});
  ASSERT_FALSE(others);
  EXPECT_EQ(others.error().code, Code::kAborted) << others.error().message;
  EXPECT_TRUE(client().Delete(Secrets(), key, {.uid = object->Uid(), .resource_version = ""}, {}));
  const Status gone = client().Delete(Secrets(), key, {}, {});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kNotFound);
  EXPECT_EQ(client().Get(Secrets(), key, {}).error().code, Code::kNotFound);
}

TEST_P(ClientApiTest, MetadataComesWithoutTheData) {
  const ObjectKey key{NewNamespace("metadata"), "app"};
  ASSERT_TRUE(client().Create(Secrets(), SecretOf(key, "aHVzaA=="), {}));
  const Result<Object> object = client().GetMetadata(Secrets(), key, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(object->Key(), key);
  EXPECT_FALSE(object->json().contains("data"));
  ListOptions list;
  list.namespace_name = key.namespace_name;
  list.metadata_only = true;
  const Result<ListPage> page = client().List(Secrets(), list, {});
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->items.size(), 1U);
  EXPECT_EQ(page->items[0].Key(), key);
  EXPECT_FALSE(page->items[0].json().contains("data"));
}

TEST_P(ClientApiTest, PagesAndSelectors) {
  const std::string name_space = NewNamespace("pages");
  for (int i = 0; i < 7; ++i) {
    Object object = SecretOf({name_space, "s" + std::to_string(i)}, "YQ==");
    object.json()["metadata"]["labels"]["odd"] = i % 2 == 0 ? "no" : "yes";
    ASSERT_TRUE(client().Create(Secrets(), object, {}));
  }
  ListOptions list;
  list.namespace_name = name_space;
  list.limit = 3;
  std::set<std::string> names;
  int pages = 0;
  do {
    const Result<ListPage> page = client().List(Secrets(), list, {});
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_FALSE(page->resource_version.empty());
    for (const Object& object : page->items) {
      names.insert(object.Name());
      EXPECT_EQ(object.json()["kind"], "Secret");
      EXPECT_EQ(object.json()["apiVersion"], "v1");
    }
    list.continue_token = page->continue_token;
    ++pages;
  } while (!list.continue_token.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(names.size(), 7U);

  ListOptions odd;
  odd.namespace_name = name_space;
  odd.label_selector = "odd in (yes)";
  EXPECT_EQ(client().List(Secrets(), odd, {})->items.size(), 3U);
  odd.field_selector = "metadata.name=s1";
  EXPECT_EQ(client().List(Secrets(), odd, {})->items.size(), 1U);
  odd.resource_version = "0";
  EXPECT_TRUE(client().List(Secrets(), odd, {})) << "from the server's cache";
}

TEST_P(ClientApiTest, PatchesOfAllTypes) {
  const ObjectKey key{NewNamespace("patches"), "app"};
  ASSERT_TRUE(client().Create(Secrets(), SecretOf(key, "YQ=="), {}));
  const auto patch = [&](PatchType type, const char* json) {
    Result<Object> patched = client().Patch(Secrets(), key, type, MakeObject(json), "", {});
    EXPECT_TRUE(patched) << (patched ? "" : patched.error().message);
    return patched ? patched->json()["data"] : nlohmann::json();
  };
  EXPECT_EQ(patch(PatchType::kMerge, R"({"data":{"a":null,"b":"Yg=="}})"),
            nlohmann::json({{"b", "Yg=="}}));
  EXPECT_EQ(patch(PatchType::kJson, R"([{"op":"add","path":"/data/c","value":"Yw=="}])"),
            nlohmann::json({{"b", "Yg=="}, {"c", "Yw=="}}));
  EXPECT_EQ(patch(PatchType::kStrategic, R"({"data":{"c":null}})"),
            nlohmann::json({{"b", "Yg=="}}));
  EXPECT_EQ(patch(PatchType::kApply, R"({"data":{"b":"eA==","d":"ZA=="}})"),
            nlohmann::json({{"b", "eA=="}, {"d", "ZA=="}}))
      << "forced over the manager that made b";
  EXPECT_EQ(patch(PatchType::kApply, R"({"data":{"b":"eA=="}})"), nlohmann::json({{"b", "eA=="}}))
      << "what is not applied any more goes";

  const Result<Object> stale = client().Patch(
      Secrets(), key, PatchType::kMerge,
      MakeObject(R"({"metadata":{"resourceVersion":"1"},"data":{"z":"YQ=="}})"), "", {});
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Code::kAborted) << stale.error().message;
}

TEST_P(ClientApiTest, ApplyMakesWhatIsNotThere) {
  const ObjectKey key{NewNamespace("apply"), "app"};
  CallOptions options;
  options.field_manager = "externalsecrets.external-secrets.io/app";
  const Result<Object> applied =
      client().Patch(Secrets(), key, PatchType::kApply,
                     MakeObject(R"({"type":"Opaque","data":{"a":"YQ=="}})"), "", options);
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(applied->json()["metadata"]["managedFields"][0]["manager"], options.field_manager);
}

TEST_P(ClientApiTest, RefusalsSayWhyWithoutTheValues) {
  const std::string name_space = NewNamespace("refusals");
  Object bad_key = SecretOf({name_space, "bad"}, "aHVzaA==");
  bad_key.json()["data"]["hush hush"] = "aHVzaA==";
  Result<Object> refused = client().Create(Secrets(), bad_key, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("create Secret " + name_space + "/bad"),
                                             HasSubstr("data[hush hush]"), Not(HasSubstr("aHVz"))));

  refused = client().Create(Secrets(), SecretOf({name_space, "bad"}, "no base64: hush"), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("hush")));

  const ObjectKey key{name_space, "app"};
  ASSERT_TRUE(client().Create(Secrets(), SecretOf(key, "YQ=="), {}));
  refused = client().Patch(Secrets(), key, PatchType::kMerge,
                           MakeObject(R"({"data":{"a":{"hush":"aHVzaA=="}}})"), "", {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, AllOf(Not(HasSubstr("hush")), Not(HasSubstr("aHVz"))));
  refused =
      client().Patch(Secrets(), key, PatchType::kMerge, MakeObject(R"({"type":"other"})"), "", {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("immutable"));

  const Resource unknown{"nowhere.example", "v1", "things", "Thing"};
  refused = client().Get(unknown, key, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNotFound);
  EXPECT_THAT(refused.error().message, HasSubstr("does not serve things of nowhere.example/v1"));
  refused = client().Create(Secrets(), SecretOf({"no-such-namespace", "app"}, "YQ=="), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNotFound) << refused.error().message;
}

TEST_P(ClientApiTest, ALeaseChangesHands) {
  Lease lease;
  lease.key = {NewNamespace("leases"), "shard-0"};
  lease.holder_identity = "node-1";
  lease.duration = std::chrono::seconds(15);
  lease.renew_time = Lease::Time(std::chrono::microseconds(1795529109000001));
  lease.acquire_time = lease.renew_time;
  const Result<Object> created = client().Create(Leases(), ToObject(lease), {});
  ASSERT_TRUE(created) << created.error().message;
  Result<Lease> mine = ParseLease(*created);
  ASSERT_TRUE(mine);
  EXPECT_EQ(mine->renew_time, lease.renew_time);

  Lease theirs = *mine;
  theirs.holder_identity = "node-2";
  theirs.transitions = 1;
  const Result<Object> taken = client().Replace(Leases(), ToObject(theirs), {});
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(ParseLease(*taken)->holder_identity, "node-2");
  const Result<Object> late = client().Replace(Leases(), ToObject(*mine), {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kAborted);

  Lease nobodys = *ParseLease(*taken);
  nobodys.holder_identity.clear();
  nobodys.duration = {};
  const Result<Object> left = client().Replace(Leases(), ToObject(nobodys), {});
  ASSERT_TRUE(left) << left.error().message;
  EXPECT_EQ(ParseLease(*left)->holder_identity, "");
}

TEST_P(ClientApiTest, TokensOfServiceAccounts) {
  const ObjectKey key{NewNamespace("tokens"), "app"};
  const Object account(
      nlohmann::json{{"metadata", {{"name", key.name}, {"namespace", key.namespace_name}}}});
  ASSERT_TRUE(client().Create(ServiceAccounts(), account, {}));
  const Result<Object> answer = client().CreateSubresource(
      ServiceAccounts(), key, "token",
      MakeObject(R"({"spec":{"audiences":["esc-agent"],"expirationSeconds":600}})"), {});
  ASSERT_TRUE(answer) << answer.error().message;
  const Secret token(
      std::string_view(answer->json()["status"]["token"].get_ref<const std::string&>()));

  const Result<TokenUser> user = ReviewToken(client(), token, {"other", "esc-agent"}, {});
  ASSERT_TRUE(user) << user.error().message;
  EXPECT_EQ(user->name, "system:serviceaccount:" + key.namespace_name + ":" + key.name);
  EXPECT_THAT(user->groups, ::testing::Contains("system:serviceaccounts"));
  const Result<TokenUser> other = ReviewToken(client(), token, {"other"}, {});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kUnauthenticated) << other.error().message;
  const Result<TokenUser> none = ReviewToken(client(), Secret(std::string_view("hush")), {}, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kUnauthenticated);
  EXPECT_THAT(none.error().message, Not(HasSubstr("hush")));
}

INSTANTIATE_TEST_SUITE_P(Servers, ClientApiTest, ::testing::Values(Server::kFake, Server::kReal),
                         NameOfServer);

}  // namespace
}  // namespace escagent::kube
