#include "tests/component/apiserver/cluster_fixture.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

class ObjectsTest : public ClusterTest {};
ESC_AGENT_BOTH_CLUSTERS(ObjectsTest);

TEST_P(ObjectsTest, CreatesOnceAndReads) {
  Answer made = Post(Core("secrets"), Secret("s"));
  ASSERT_EQ(made.status, 201) << made.text;
  json metadata = made.body["metadata"];
  EXPECT_EQ(metadata["name"], "s");
  EXPECT_EQ(metadata["namespace"], namespace_);
  EXPECT_EQ(metadata["uid"].get<std::string>().size(), 36u);
  EXPECT_TRUE(metadata["creationTimestamp"].get<std::string>().ends_with("Z"));
  EXPECT_FALSE(metadata.contains("generation"));
  EXPECT_EQ(made.body["type"], "Opaque");
  EXPECT_EQ(Get(Core("secrets", "s")).body, made.body);

  Answer again = Post(Core("secrets"), Secret("s"));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.body["reason"], "AlreadyExists");
  EXPECT_EQ(again.body["message"], "secrets \"s\" already exists");
  EXPECT_EQ(again.body["details"], (json{{"name", "s"}, {"kind", "secrets"}}));
}

TEST_P(ObjectsTest, WhatIsNotThereIsNotFound) {
  Answer secret = Get(Core("secrets", "none"));
  EXPECT_EQ(secret.status, 404);
  EXPECT_EQ(secret.body["reason"], "NotFound");
  EXPECT_EQ(secret.body["message"], "secrets \"none\" not found");
  EXPECT_EQ(Get(Widgets("none")).body["message"], "widgets.test.esc-agent.io \"none\" not found");
  EXPECT_EQ(Get("/apis/nothing.io/v1/things").status, 404);
  EXPECT_EQ(Merge(Core("secrets", "none"), {{"data", nullptr}}).status, 404);
  EXPECT_EQ(Delete(Core("secrets", "none")).status, 404);
  json elsewhere = Secret("s");
  Answer orphan = Post("/api/v1/namespaces/absent/secrets", elsewhere);
  EXPECT_EQ(orphan.status, 404);
  EXPECT_EQ(orphan.body["message"], "namespaces \"absent\" not found");
}

TEST_P(ObjectsTest, RefusesWhatDoesNotFitThePath) {
  json wrong_kind = Secret("s");
  wrong_kind["kind"] = "ConfigMap";
  EXPECT_EQ(Post(Core("secrets"), wrong_kind).status, 400);
  json wrong_namespace = Secret("s");
  wrong_namespace["metadata"]["namespace"] = "other";
  EXPECT_EQ(Post(Core("secrets"), wrong_namespace).status, 400);
  json with_revision = Secret("s");
  with_revision["metadata"]["resourceVersion"] = "1";
  EXPECT_EQ(Post(Core("secrets"), with_revision).status, 500);
  EXPECT_EQ(Put(Core("secrets"), Secret("s")).status, 405);
  EXPECT_EQ(cluster_->Send("POST", Core("secrets"), "{", "application/json").status, 400);
  EXPECT_EQ(cluster_->Send("POST", Core("secrets"), "x", "text/plain").status, 415);
  ASSERT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  EXPECT_EQ(Put(Core("secrets", "s"), Secret("other")).status, 400);
  EXPECT_EQ(cluster_->Send("PATCH", Core("secrets", "s"), "{}", "application/json").status, 415);
}

TEST_P(ObjectsTest, GeneratesNames) {
  json secret = Secret("");
  secret["metadata"] = {{"generateName", "gen-"}};
  Answer made = Post(Core("secrets"), secret);
  ASSERT_EQ(made.status, 201) << made.text;
  const std::string name = made.body["metadata"]["name"].get<std::string>();
  EXPECT_TRUE(name.starts_with("gen-") && name.size() == 9) << name;
}

TEST_P(ObjectsTest, NamesAndLabelsAreChecked) {
  json secret = Secret("Upper_Case");
  secret["metadata"]["labels"] = {{"ok", "not ok!"}, {"long", std::string(64, 'a')}};
  Answer answer = Post(Core("secrets"), secret);
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body["reason"], "Invalid");
  const auto causes = CausesOf(answer);
  ASSERT_EQ(causes.size(), 3u) << answer.text;
  EXPECT_TRUE(causes[0].starts_with("metadata.labels: Invalid value: \"aaa")) << causes[0];
  EXPECT_TRUE(causes[1].starts_with("metadata.labels: Invalid value: \"not ok!\": a valid label"));
  EXPECT_TRUE(
      causes[2].starts_with("metadata.name: Invalid value: \"Upper_Case\": a lowercase RFC "
                            "1123 subdomain"));
}

TEST_P(ObjectsTest, AStaleRevisionConflicts) {
  json made = Post(Core("secrets"), Secret("s")).body;
  json next = made;
  next["data"]["a"] = "Mg==";
  Answer put = Put(Core("secrets", "s"), next);
  ASSERT_EQ(put.status, 200) << put.text;
  EXPECT_NE(put.body["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
  Answer stale = Put(Core("secrets", "s"), next);
  EXPECT_EQ(stale.status, 409);
  EXPECT_EQ(stale.body["reason"], "Conflict");
  EXPECT_EQ(stale.body["message"],
            "Operation cannot be fulfilled on secrets \"s\": the object has been modified; please "
            "apply your changes to the latest version and try again");
  const std::string revision = made["metadata"]["resourceVersion"].get<std::string>();
  EXPECT_EQ(Merge(Core("secrets", "s"),
                  {{"metadata", {{"resourceVersion", revision}}}, {"data", {{"a", "Mw=="}}}})
                .status,
            409);
  // Without one a Secret is replaced whatever it is; a custom resource is not.
  EXPECT_EQ(Put(Core("secrets", "s"), Secret("s", {{"a", "NA=="}})).status, 200);
  ASSERT_EQ(Post(Widgets(), Widget("w", {{"color", "red"}})).status, 201);
  Answer widget = Put(Widgets("w"), Widget("w", {{"color", "green"}}));
  EXPECT_EQ(widget.status, 422);
  EXPECT_TRUE(
      widget.body["message"].get<std::string>().contains("must be specified for an update"));
}

TEST_P(ObjectsTest, AWriteThatChangesNothingIsNone) {
  json made = Post(Core("secrets"), Secret("s")).body;
  Answer put = Put(Core("secrets", "s"), made);
  EXPECT_EQ(put.status, 200);
  EXPECT_EQ(put.body["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
  Answer patch = Merge(Core("secrets", "s"), {{"data", {{"a", "MQ=="}}}});
  EXPECT_EQ(patch.body["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
}

TEST_P(ObjectsTest, Patches) {
  ASSERT_EQ(Post(Core("secrets"), Secret("s", {{"a", "MQ=="}, {"b", "Mg=="}})).status, 201);
  Answer merged = Merge(Core("secrets", "s"), {{"data", {{"a", nullptr}, {"c", "Mw=="}}}});
  ASSERT_EQ(merged.status, 200) << merged.text;
  EXPECT_EQ(merged.body["data"], (json{{"b", "Mg=="}, {"c", "Mw=="}}));
  json operations = {{{"op", "test"}, {"path", "/data/b"}, {"value", "Mg=="}},
                     {{"op", "remove"}, {"path", "/data/b"}}};
  Answer patched =
      cluster_->Request("PATCH", Core("secrets", "s"), operations, "application/json-patch+json");
  ASSERT_EQ(patched.status, 200) << patched.text;
  EXPECT_EQ(patched.body["data"], (json{{"c", "Mw=="}}));
  // The test does not hold any more.
  EXPECT_EQ(
      cluster_->Request("PATCH", Core("secrets", "s"), operations, "application/json-patch+json")
          .status,
      422);
}

TEST_P(ObjectsTest, StrategicMergeKnowsTheKeysOfLists) {
  json pod_template = {
      {"metadata", {{"labels", {{"app", "x"}}}}},
      {"spec",
       {{"containers",
         {{{"name", "one"}, {"image", "i1"}, {"env", {{{"name", "A"}, {"value", "1"}}}}},
          {{"name", "two"}, {"image", "i2"}}}}}}};
  const std::string path = "/apis/apps/v1/namespaces/" + namespace_ + "/deployments";
  Answer made = Post(
      path,
      {{"apiVersion", "apps/v1"},
       {"kind", "Deployment"},
       {"metadata", {{"name", "d"}}},
       {"spec", {{"selector", {{"matchLabels", {{"app", "x"}}}}}, {"template", pod_template}}}});
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["metadata"]["generation"], 1);
  json patch = {
      {"spec",
       {{"template",
         {{"metadata", {{"annotations", {{"r", "1"}}}}},
          {"spec",
           {{"containers", {{{"name", "one"}, {"env", {{{"name", "B"}, {"value", "2"}}}}}}}}}}}}}};
  Answer patched =
      cluster_->Request("PATCH", path + "/d", patch, "application/strategic-merge-patch+json");
  ASSERT_EQ(patched.status, 200) << patched.text;
  EXPECT_EQ(patched.body["metadata"]["generation"], 2);
  json spec = patched.body["spec"]["template"]["spec"]["containers"];
  ASSERT_EQ(spec.size(), 2u);
  EXPECT_EQ(spec[0]["image"], "i1");
  EXPECT_EQ(spec[0]["env"].size(), 2u);
  // Custom resources have no strategic merge.
  ASSERT_EQ(Post(Widgets(), Widget("w", {{"color", "red"}})).status, 201);
  EXPECT_EQ(cluster_
                ->Request("PATCH", Widgets("w"), {{"spec", {{"size", 4}}}},
                          "application/strategic-merge-patch+json")
                .status,
            415);
}

TEST_P(ObjectsTest, DeletesWithPreconditions) {
  json made = Post(Core("secrets"), Secret("s")).body;
  Answer refused = Delete(
      Core("secrets", "s"),
      {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", {{"uid", "another"}}}});
  EXPECT_EQ(refused.status, 409);
  Answer done =
      Delete(Core("secrets", "s"), {{"apiVersion", "v1"},
                                    {"kind", "DeleteOptions"},
                                    {"preconditions", {{"uid", made["metadata"]["uid"]}}}});
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.body["status"], "Success");
  EXPECT_EQ(done.body["details"]["uid"], made["metadata"]["uid"]);
  EXPECT_EQ(Get(Core("secrets", "s")).status, 404);
}

TEST_P(ObjectsTest, FinalizersHoldADeletedObject) {
  json secret = Secret("s");
  secret["metadata"]["finalizers"] = {"test.esc-agent.io/hold"};
  ASSERT_EQ(Post(Core("secrets"), secret).status, 201);
  Answer deleted = Delete(Core("secrets", "s"));
  EXPECT_EQ(deleted.status, 200);
  json held = Get(Core("secrets", "s")).body;
  EXPECT_TRUE(held["metadata"].contains("deletionTimestamp")) << held;
  Answer more = Merge(Core("secrets", "s"),
                      {{"metadata", {{"finalizers", {"test.esc-agent.io/hold", "a.b/c"}}}}});
  EXPECT_EQ(more.status, 422) << more.text;
  EXPECT_EQ(Merge(Core("secrets", "s"), {{"metadata", {{"finalizers", nullptr}}}}).status, 200);
  EXPECT_EQ(Get(Core("secrets", "s")).status, 404);
}

TEST_P(ObjectsTest, StatusIsASubresourceOfItsOwn) {
  json widget = Widget("w", {{"color", "red"}});
  widget["status"] = {{"phase", "ignored"}};
  Answer made = Post(Widgets(), widget);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_FALSE(made.body.contains("status"));
  EXPECT_EQ(made.body["metadata"]["generation"], 1);
  Answer status = Merge(Widgets("w") + "/status",
                        {{"status", {{"phase", "Good"}}}, {"spec", {{"color", "green"}}}});
  ASSERT_EQ(status.status, 200) << status.text;
  EXPECT_EQ(status.body["status"]["phase"], "Good");
  EXPECT_EQ(status.body["spec"]["color"], "red");
  EXPECT_EQ(status.body["metadata"]["generation"], 1);
  Answer spec =
      Merge(Widgets("w"), {{"status", {{"phase", "Bad"}}}, {"spec", {{"color", "green"}}}});
  EXPECT_EQ(spec.body["status"]["phase"], "Good");
  EXPECT_EQ(spec.body["metadata"]["generation"], 2);
  Answer labels = Merge(Widgets("w"), {{"metadata", {{"labels", {{"a", "b"}}}}}});
  EXPECT_EQ(labels.body["metadata"]["generation"], 2);
}

TEST_P(ObjectsTest, LeasesAndEvents) {
  const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/" + namespace_ + "/leases";
  json lease = {{"apiVersion", "coordination.k8s.io/v1"},
                {"kind", "Lease"},
                {"metadata", {{"name", "l"}}},
                {"spec", {{"holderIdentity", "me"}, {"leaseDurationSeconds", 15}}}};
  Answer made = Post(leases, lease);
  ASSERT_EQ(made.status, 201) << made.text;
  json next = made.body;
  next["spec"]["holderIdentity"] = "you";
  EXPECT_EQ(Put(leases + "/l", next).status, 200);
  EXPECT_EQ(Put(leases + "/l", next).status, 409);

  json event = {{"apiVersion", "v1"},
                {"kind", "Event"},
                {"metadata", {{"name", "e"}}},
                {"involvedObject", {{"kind", "Secret"}, {"name", "s"}, {"namespace", namespace_}}},
                {"reason", "Tested"},
                {"message", "m"},
                {"type", "Normal"}};
  ASSERT_EQ(Post(Core("events"), event).status, 201);
  EXPECT_EQ(Get(Core("events") + "?fieldSelector=involvedObject.name%3Ds").body["items"].size(),
            1u);
  EXPECT_EQ(Get(Core("events") + "?fieldSelector=involvedObject.name%3Dx").body["items"].size(),
            0u);
  event["metadata"]["name"] = "elsewhere";
  event["involvedObject"]["namespace"] = "other";
  EXPECT_EQ(Post(Core("events"), event).status, 422);
}

TEST_P(ObjectsTest, ServiceAccountTokens) {
  ASSERT_EQ(Post(Core("serviceaccounts"),
                 {{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", "sa"}}}})
                .status,
            201);
  Answer token = Post(Core("serviceaccounts", "sa") + "/token",
                      {{"apiVersion", "authentication.k8s.io/v1"},
                       {"kind", "TokenRequest"},
                       {"spec", {{"audiences", {"urn:a"}}, {"expirationSeconds", 600}}}});
  ASSERT_EQ(token.status, 201) << token.text;
  json review = {{"apiVersion", "authentication.k8s.io/v1"},
                 {"kind", "TokenReview"},
                 {"spec", {{"token", token.body["status"]["token"]}, {"audiences", {"urn:a"}}}}};
  Answer reviewed = Post("/apis/authentication.k8s.io/v1/tokenreviews", review);
  ASSERT_EQ(reviewed.status, 201) << reviewed.text;
  EXPECT_EQ(reviewed.body["status"]["authenticated"], true);
  EXPECT_EQ(reviewed.body["status"]["user"]["username"],
            "system:serviceaccount:" + namespace_ + ":sa");
}

}  // namespace
}  // namespace escagent::apiserver
