#include "kube/client.h"

#include <stop_token>
#include <thread>

#include "tests/unit/kube/client_fixture.h"
#include "tests/unit/kube/temp_folder.h"

namespace escagent::kube {
namespace {

using escagent::testing::FakeHttpTransport;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kApp = "/api/v1/namespaces/podinfo/secrets/app";
constexpr const char* kSecrets = "/api/v1/namespaces/podinfo/secrets";

const Resource kExternalSecrets{"external-secrets.io", "v1", "externalsecrets", "ExternalSecret"};

TEST_F(ClientTest, GetGivesTheObject) {
  http_.Answer("GET", kApp, 200,
               R"({"kind":"Secret","metadata":{"namespace":"podinfo","name":"app","uid":"u1",)"
               R"("resourceVersion":"17","generation":3},"data":{"a":"YQ=="}})");
  const Result<Object> object = client_.Get(Secrets(), app_, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(object->Key(), app_);
  EXPECT_EQ(object->Uid(), "u1");
  EXPECT_EQ(object->ResourceVersion(), "17");
  EXPECT_EQ(object->Generation(), 3);
  EXPECT_EQ(object->json()["data"]["a"], "YQ==");
  const FakeHttpTransport::Recorded request = http_.Requests().at(0);
  EXPECT_EQ(request.url, std::string("https://api.test:6443") + kApp);
  EXPECT_EQ(request.authorization, "Bearer t0ken-one");
  EXPECT_EQ(HeaderOf(request, "Accept"), "application/json");
  EXPECT_EQ(request.total_timeout, std::chrono::seconds(10));
}

TEST_F(ClientTest, ACallMayAskForLessTimeThanTheLimitButNotMore) {
  http_.Answer("GET", kApp, 200, R"({"kind":"Secret","metadata":{"name":"app"}})");
  ASSERT_TRUE(client_.Get(Secrets(), app_, {.timeout = std::chrono::seconds(3)}));
  ASSERT_TRUE(client_.Get(Secrets(), app_, {.timeout = std::chrono::seconds(30)}));
  EXPECT_EQ(http_.Requests().at(0).total_timeout, std::chrono::seconds(3));
  EXPECT_EQ(http_.Requests().at(1).total_timeout, std::chrono::seconds(10));
}

TEST_F(ClientTest, GetMetadataDoesNotAcceptTheWholeObject) {
  http_.Answer("GET", kApp, 200, R"({"kind":"PartialObjectMetadata","metadata":{"name":"app"}})");
  ASSERT_TRUE(client_.GetMetadata(Secrets(), app_, {}));
  EXPECT_EQ(HeaderOf(http_.Requests().at(0), "Accept"),
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
}

TEST_F(ClientTest, NamesAreEscapedAndNeverSteps) {
  http_.Answer("GET", "/api/v1/namespaces/podinfo/secrets/a%2F%3Fb%25", 200, "{}");
  EXPECT_TRUE(client_.Get(Secrets(), {"podinfo", "a/?b%"}, {}));
  for (const ObjectKey& key : {ObjectKey{"podinfo", ".."}, ObjectKey{"..", "app"},
                               ObjectKey{"podinfo", ""}, ObjectKey{"", "app"}}) {
    const Result<Object> object = client_.Get(Secrets(), key, {});
    ASSERT_FALSE(object);
    EXPECT_EQ(object.error().code, Code::kInvalidArgument) << object.error().message;
    EXPECT_FALSE(client_.Delete(Secrets(), key, {}, {}));
  }
  EXPECT_FALSE(client_.Get(Namespaces(), {"podinfo", "app"}, {})) << "not in a namespace";
  EXPECT_EQ(http_.Requests().size(), 1U);
}

TEST_F(ClientTest, ListAsksForPages) {
  http_.Answer(
      "GET", "/apis/external-secrets.io/v1/externalsecrets", 200,
      R"({"kind":"ExternalSecretList","metadata":{"resourceVersion":"40","continue":"c&1"},)"
      R"("items":[{"metadata":{"namespace":"a","name":"x"}},)"
      R"({"apiVersion":"v9","kind":"Own","metadata":{"namespace":"b","name":"y"}}]})");
  const Result<ListPage> page = client_.List(kExternalSecrets,
                                             {.namespace_name = "",
                                              .label_selector = "a in (b,c)",
                                              .field_selector = "",
                                              .limit = 2,
                                              .continue_token = "",
                                              .resource_version = "30"},
                                             {});
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->resource_version, "40");
  EXPECT_EQ(page->continue_token, "c&1");
  ASSERT_EQ(page->items.size(), 2U);
  EXPECT_EQ(page->items[0].json()["kind"], "ExternalSecret") << "items may come without";
  EXPECT_EQ(page->items[0].json()["apiVersion"], "external-secrets.io/v1");
  EXPECT_EQ(page->items[1].json()["kind"], "Own");
  EXPECT_EQ(http_.Requests().at(0).query,
            "labelSelector=a%20in%20%28b%2Cc%29&limit=2&resourceVersion=30"
            "&resourceVersionMatch=NotOlderThan");
  ListOptions next;
  next.continue_token = page->continue_token;
  next.resource_version = "30";
  next.metadata_only = true;
  ASSERT_TRUE(client_.List(kExternalSecrets, next, {}));
  EXPECT_EQ(http_.Requests().at(1).query, "limit=500&continue=c%261");
  EXPECT_EQ(HeaderOf(http_.Requests().at(1), "Accept"),
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
}

TEST_F(ClientTest, AnEmptyListHasNullItems) {
  http_.Answer("GET", kSecrets, 200, R"({"metadata":{"resourceVersion":"1"},"items":null})");
  ListOptions list;
  list.namespace_name = "podinfo";
  const Result<ListPage> page = client_.List(Secrets(), list, {});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->items.empty());
}

TEST_F(ClientTest, CreateNamesKindAndManager) {
  http_.Answer("POST", kSecrets, 201, R"({"metadata":{"name":"app"}})");
  const Object object = MakeObject(R"({"metadata":{"name":"app","namespace":"podinfo"}})");
  CallOptions options;
  options.field_manager = "a/b";
  ASSERT_TRUE(client_.Create(Secrets(), object, options));
  const FakeHttpTransport::Recorded request = http_.Requests().at(0);
  EXPECT_EQ(request.query, "fieldManager=a%2Fb");
  EXPECT_EQ(request.content_type, "application/json");
  EXPECT_EQ(
      request.body,
      R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"app","namespace":"podinfo"}})");
  EXPECT_FALSE(object.json().contains("kind")) << "the caller's object stays as it was";
}

TEST_F(ClientTest, PatchTypesAndSubresources) {
  const std::string path = "/apis/external-secrets.io/v1/namespaces/podinfo/externalsecrets/app";
  http_.Answer("PATCH", path, 200, "{}");
  http_.Answer("PATCH", path + "/status", 200, "{}");
  const Object patch = MakeObject(R"({"status":{"a":1}})");
  ASSERT_TRUE(client_.Patch(kExternalSecrets, app_, PatchType::kMerge, patch, "status", {}));
  ASSERT_TRUE(client_.Patch(kExternalSecrets, app_, PatchType::kStrategic, patch, "", {}));
  ASSERT_TRUE(client_.Patch(kExternalSecrets, app_, PatchType::kApply, patch, "", {}));
  const Object operations = MakeObject(R"([{"op":"remove","path":"/a"}])");
  ASSERT_TRUE(client_.Patch(kExternalSecrets, app_, PatchType::kJson, operations, "", {}));
  const auto requests = http_.Requests();
  EXPECT_EQ(requests[0].path, path + "/status");
  EXPECT_EQ(requests[0].content_type, "application/merge-patch+json");
  EXPECT_EQ(requests[0].body, R"({"status":{"a":1}})");
  EXPECT_EQ(requests[1].content_type, "application/strategic-merge-patch+json");
  EXPECT_EQ(requests[2].content_type, "application/apply-patch+yaml");
  EXPECT_EQ(requests[2].query, "force=true&fieldManager=esc-agent");
  EXPECT_EQ(requests[2].body,
            R"({"apiVersion":"external-secrets.io/v1","kind":"ExternalSecret",)"
            R"("metadata":{"name":"app","namespace":"podinfo"},"status":{"a":1}})");
  EXPECT_EQ(requests[3].content_type, "application/json-patch+json");
  EXPECT_EQ(requests[3].body, R"([{"op":"remove","path":"/a"}])");
}

TEST_F(ClientTest, DeleteWithPreconditions) {
  http_.Answer("DELETE", kApp, 200, R"({"kind":"Status","status":"Success"})");
  ASSERT_TRUE(client_.Delete(Secrets(), app_, {.uid = "u1", .resource_version = "7"}, {}));
  EXPECT_EQ(http_.Requests().at(0).body,
            R"({"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"resourceVersion":"7",)"
            R"("uid":"u1"},"propagationPolicy":"Background"})");
}

TEST_F(ClientTest, CreateSubresourceOfAnObject) {
  http_.Answer("POST", "/api/v1/namespaces/podinfo/serviceaccounts/app/token", 201,
               R"({"status":{"token":"x"}})");
  const Object request = MakeObject(R"({"spec":{"audiences":["a"]}})");
  ASSERT_TRUE(client_.CreateSubresource(ServiceAccounts(), app_, "token", request, {}));
  EXPECT_EQ(http_.Requests().at(0).body, R"({"spec":{"audiences":["a"]}})");
}

TEST_F(ClientTest, BinaryTextIsRefusedBeforeItIsSent) {
  Object object = MakeObject(R"({"metadata":{"name":"app","namespace":"podinfo"}})");
  object.json()["data"]["a"] = "caf\xE9-hush";
  const Result<Object> created = client_.Create(Secrets(), object, {});
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, Code::kInvalidArgument);
  EXPECT_THAT(created.error().message, HasSubstr("create Secret podinfo/app"));
  EXPECT_THAT(created.error().message, Not(HasSubstr("hush")));
  EXPECT_TRUE(http_.Requests().empty());
}

TEST_F(ClientTest, ErrorsSayWhatWasBeingDone) {
  http_.Answer("GET", kApp, 404,
               R"({"kind":"Status","reason":"NotFound","message":"secrets \"app\" not found",)"
               R"("code":404})");
  Result<Object> object = client_.Get(Secrets(), app_, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().ToString(),
            "NOT_FOUND: get Secret podinfo/app: secrets \"app\" not found");
  http_.AnswerError("DELETE", kApp, {.code = Code::kUnavailable, .message = "no connection"});
  const Status deleted = client_.Delete(Secrets(), app_, {}, {});
  ASSERT_FALSE(deleted);
  EXPECT_EQ(deleted.error().ToString(), "UNAVAILABLE: delete Secret podinfo/app: no connection");
}

TEST_F(ClientTest, AnswersThatAreNoObjectsAreErrors) {
  for (const std::string_view body : {"", "<html>hush</html>", "[]", "\"text\""}) {
    FakeHttpTransport http;
    Client client({}, connection_, http, clock_);
    http.Answer("GET", kApp, 200, body);
    const Result<Object> object = client.Get(Secrets(), app_, {});
    ASSERT_FALSE(object) << body;
    EXPECT_EQ(object.error().code, Code::kUnavailable);
    EXPECT_THAT(object.error().message, Not(HasSubstr("hush")));
  }
}

TEST_F(ClientTest, AStaticTokenIsNotTriedAgain) {
  http_.Answer("GET", kApp, 401, R"({"kind":"Status","reason":"Unauthorized","code":401})");
  const Result<Object> object = client_.Get(Secrets(), app_, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code, Code::kUnauthenticated);
  EXPECT_THAT(object.error().message, Not(HasSubstr("t0ken")));
  EXPECT_EQ(http_.Requests().size(), 1U);
}

TEST_F(ClientTest, ARotatedTokenFileIsTriedOnceAfter401) {
  const TempFolder folder;
  Config config = MakeConfig();
  config.token = nullptr;
  config.token_file = folder.Write("token", "old\n");
  Connection connection(config, clock_);
  Client client({}, connection, http_, clock_);
  http_.Answer("POST", kSecrets, 401, "");
  http_.Answer("POST", kSecrets, 201, R"({"metadata":{}})");
  ASSERT_TRUE(connection.Prepare("GET", "/version", {}));
  folder.Write("token", "new\n");
  const Object object = MakeObject(R"({"metadata":{"name":"app","namespace":"podinfo"}})");
  const Result<Object> created = client.Create(Secrets(), object, {});
  ASSERT_TRUE(created) << created.error().message;
  const auto requests = http_.Requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].authorization, "Bearer old");
  EXPECT_EQ(requests[1].authorization, "Bearer new");
  EXPECT_EQ(requests[1].body, requests[0].body);
}

TEST_F(ClientTest, RetryAfterHoldsBackAllButExemptCalls) {
  http_.Answer("GET", kApp, 429, R"({"kind":"Status","reason":"TooManyRequests","code":429})",
               {{"Retry-After", "5"}});
  http_.Answer("GET", kApp, 200, "{}");
  const Result<Object> refused = client_.Get(Secrets(), app_, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_EQ(refused.error().retry_after, std::chrono::seconds(5));
  CallOptions exempt;
  exempt.priority = Priority::kExempt;
  EXPECT_TRUE(client_.Get(Secrets(), app_, exempt));
  std::jthread caller([&] {
    CallOptions interactive;
    interactive.priority = Priority::kInteractive;
    EXPECT_TRUE(client_.Get(Secrets(), app_, interactive));
  });
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  EXPECT_EQ(clock_.UntilNextWakeUp(), std::chrono::seconds(5));
  EXPECT_EQ(http_.Requests().size(), 2U);
  clock_.Advance(std::chrono::seconds(5));
  caller.join();
  EXPECT_EQ(http_.Requests().size(), 3U);
}

TEST_F(ClientTest, AStoppedCallIsCancelled) {
  std::stop_source stop;
  stop.request_stop();
  CallOptions options;
  options.stop = stop.get_token();
  http_.Answer("GET", kApp, 200, "{}");
  const Result<Object> object = client_.Get(Secrets(), app_, options);
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code, Code::kCancelled);
}

}  // namespace
}  // namespace escagent::kube
