#include "tests/component/apiserver/cluster_fixture.h"

#include <algorithm>
#include <map>
#include <memory>

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr const char* kWidgets = R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.esc-agent.io}
spec:
  group: test.esc-agent.io
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    selectableFields: [{jsonPath: .spec.color}]
    schema: &schema
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [color]
            properties:
              color: {type: string, enum: [red, green]}
              size: {type: integer, minimum: 1, maximum: 9, default: 3}
              code: {type: string, pattern: '^[a-z]+$', maxLength: 5}
              tags: {type: object, additionalProperties: {type: string}}
              open: {type: object, x-kubernetes-preserve-unknown-fields: true}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, count: {type: integer}}
          status:
            type: object
            properties:
              phase: {type: string}
              conditions:
                type: array
                items:
                  type: object
                  properties: {type: {type: string}, status: {type: string}}
  - name: v1beta1
    served: true
    storage: false
    subresources: {status: {}}
    selectableFields: [{jsonPath: .spec.color}]
    schema: *schema
)";

using SharedCluster = Result<std::unique_ptr<TestCluster>>;

std::map<ClusterKind, SharedCluster>& Clusters() {
  static std::map<ClusterKind, SharedCluster> clusters;
  return clusters;
}

// Ends the clusters with the tests, before static objects go.
class EndClusters final : public ::testing::Environment {
 public:
  void TearDown() override { Clusters().clear(); }
};

const ::testing::Environment* const kEndClusters =
    ::testing::AddGlobalTestEnvironment(std::make_unique<EndClusters>().release());

SharedCluster Start(ClusterKind kind) {
  ApiServer::Options options;
  options.bookmark_interval = std::chrono::milliseconds(200);
  auto cluster = kind == ClusterKind::kReal ? TestCluster::Real() : TestCluster::Fake(options);
  if (!cluster) return cluster;
  ESC_RETURN_IF_ERROR((*cluster)->ApplyText(kWidgets));
  return cluster;
}

}  // namespace

void ClusterTest::SetUp() {
  auto shared = Clusters().find(GetParam());
  // One that does not start is not started for every test anew.
  if (shared == Clusters().end()) {
    shared = Clusters().emplace(GetParam(), Start(GetParam())).first;
  }
  if (!shared->second && shared->second.error().code == Code::kFailedPrecondition) {
    GTEST_SKIP() << shared->second.error().message;
  }
  ASSERT_TRUE(shared->second) << shared->second.error().message;
  cluster_ = shared->second->get();
  static int count = 0;
  namespace_ = "t" + std::to_string(++count);
  const Answer made =
      Post("/api/v1/namespaces",
           {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", namespace_}}}});
  ASSERT_EQ(made.status, 201) << made.text;
}

std::string ClusterTest::Core(const std::string& resource, const std::string& name) const {
  return "/api/v1/namespaces/" + namespace_ + "/" + resource + (name.empty() ? "" : "/" + name);
}

std::string ClusterTest::Widgets(const std::string& name, const std::string& version) const {
  return "/apis/test.esc-agent.io/" + version + "/namespaces/" + namespace_ + "/widgets" +
         (name.empty() ? "" : "/" + name);
}

json ClusterTest::Secret(const std::string& name, const json& data) const {
  return {{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", name}}}, {"data", data}};
}

json ClusterTest::Widget(const std::string& name, const json& spec) const {
  return {{"apiVersion", "test.esc-agent.io/v1"},
          {"kind", "Widget"},
          {"metadata", {{"name", name}}},
          {"spec", spec}};
}

Answer ClusterTest::Apply(const std::string& path, const json& config, const std::string& manager,
                          bool force) const {
  return cluster_->Request("PATCH",
                           path + "?fieldManager=" + manager + (force ? "&force=true" : ""), config,
                           "application/apply-patch+yaml");
}

std::vector<std::string> CausesOf(const Answer& answer) {
  std::vector<std::string> causes;
  if (!answer.body.is_object()) return causes;
  const json details = answer.body.value("details", json::object());
  for (const json& cause : details.value("causes", json::array())) {
    causes.push_back(cause.value("field", "") + ": " + cause.value("message", ""));
  }
  std::sort(causes.begin(), causes.end());
  return causes;
}

}  // namespace escagent::apiserver
