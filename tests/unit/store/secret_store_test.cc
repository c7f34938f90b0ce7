#include "agent/store/secret_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/store/store_fixture.h"

namespace escagent::store {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kProvider[] = R"(
  provider:
    pulumi:
      organization: acme
      project: web
      environment: dev
      accessToken: {secretRef: {name: "file:token", key: k}}
)";

ParsedStore Parse(std::string_view text) { return ParseSecretStore(Yaml(text)); }

std::string Cluster(const std::string& spec) {
  return "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {name: app}\n"
         "spec:\n" +
         spec;
}

ParsedStore ParseConditions(const std::string& conditions) {
  return Parse(Cluster("  conditions: " + conditions + kProvider));
}

bool Admits(const SecretStoreSpec& store, const std::string& namespace_name) {
  return store.Admits(namespace_name, {{kNamespaceNameLabel, namespace_name}});
}

TEST(ParseSecretStore, ReadsASecretStore) {
  const ParsedStore parsed = Parse(R"(
apiVersion: external-secrets.io/v1beta1
kind: SecretStore
metadata: {name: app, namespace: podinfo, labels: {any: thing}}
spec:
  controller: mine
  refreshInterval: 1h
  retrySettings: {maxRetries: 5}
  provider:
    pulumi:
      apiUrl: https://esc.test/api/esc/
      organization: acme
      project: web
      environment: dev
      accessToken: {secretRef: {name: token, key: k, namespace: podinfo}}
status: {conditions: []}
)");
  ASSERT_THAT(parsed.problems, IsEmpty());
  const SecretStoreSpec& store = parsed.spec;
  EXPECT_EQ(store.id.ToString(), "SecretStore podinfo/app");
  EXPECT_EQ(store.controller, "mine");
  EXPECT_EQ(store.api_url, "https://esc.test/api/esc");
  EXPECT_EQ(store.ref.ToString(), "acme/web/dev");
  EXPECT_EQ(store.token.name, "token");
  EXPECT_EQ(store.token.key, "k");
  EXPECT_EQ(store.token.namespace_name, "podinfo");
}

TEST(ParseSecretStore, ReadsAClusterSecretStoreWithAuth) {
  const ParsedStore parsed = Parse(Cluster(R"(
  provider:
    pulumi:
      organization: acme
      project: web
      environment: dev
      auth: {accessToken: {secretRef: {name: "env:TOKEN"}}}
)"));
  ASSERT_THAT(parsed.problems, IsEmpty());
  EXPECT_EQ(parsed.spec.id.ToString(), "ClusterSecretStore app");
  EXPECT_EQ(parsed.spec.api_url, "");
  EXPECT_EQ(parsed.spec.token.name, "env:TOKEN");
  EXPECT_TRUE(Admits(parsed.spec, "anything"));
}

TEST(ParseSecretStore, ASecretStoreWithoutNamespaceIsOfDefault) {
  const ParsedStore parsed =
      Parse("apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: app}\nspec:" +
            std::string(kProvider));
  ASSERT_THAT(parsed.problems, IsEmpty());
  EXPECT_EQ(parsed.spec.id.namespace_name, "default");
}

struct StoreProblem {
  const char* name;
  const char* from;  // replaced in a good store
  const char* to;
  const char* problem;
};

class ParseSecretStoreProblem : public ::testing::TestWithParam<StoreProblem> {};

TEST_P(ParseSecretStoreProblem, IsNamed) {
  std::string text = R"(apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: app, namespace: podinfo}
spec:
  provider:
    pulumi:
      apiUrl: https://esc.test
      organization: acme
      project: web
      environment: dev
      accessToken: {secretRef: {name: "file:token", key: k}}
)";
  ASSERT_THAT(Parse(text).problems, IsEmpty());
  const std::size_t at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string_view(GetParam().from).size(), GetParam().to);
  EXPECT_THAT(Parse(text).problems, Contains(HasSubstr(GetParam().problem)));
}

INSTANTIATE_TEST_SUITE_P(
    Table, ParseSecretStoreProblem,
    ::testing::Values(
        StoreProblem{"Version", "io/v1", "io/v1alpha1",
                     "apiVersion: must be external-secrets.io/v1"},
        StoreProblem{"Kind", "SecretStore", "ExternalSecret", "kind: must be SecretStore or"},
        StoreProblem{"NoName", "name: app, ", "", "metadata.name: is required"},
        StoreProblem{"BadName", "name: app", "name: App_1", "metadata.name: must be lower-case"},
        StoreProblem{"DotName", "name: app", "name: a..b", "metadata.name: must be lower-case"},
        StoreProblem{"BadNamespace", "namespace: podinfo", "namespace: a.b", "metadata.namespace"},
        StoreProblem{"Organization", "organization: acme", "controller: x",
                     "spec.provider.pulumi: organization is required"},
        StoreProblem{"Project", "project: web", "project:", "project is required"},
        StoreProblem{"Environment", "environment: dev", "environment: ''",
                     "environment is required"},
        StoreProblem{"BadEnvironment", "environment: dev", "environment: a/b",
                     "the environment must be 1 to 100"},
        StoreProblem{"ListForText", "project: web", "project: [web]", "project: must be a string"},
        StoreProblem{"ApiUrl", "https://esc.test", "esc.test", "apiUrl: must begin with https://"},
        StoreProblem{"Typo", "apiUrl:", "apiURL:", "apiURL: is not a known field; did you mean"},
        StoreProblem{"Provider", "pulumi:", "aws:", "spec.provider: must be pulumi"},
        StoreProblem{"NoToken", "accessToken: {secretRef: {name: \"file:token\", key: k}}", "",
                     "Exactly one of 'auth' or deprecated 'accessToken' must be specified"},
        StoreProblem{"NoTokenName", "name: \"file:token\", ", "", "secretRef.name is required"},
        StoreProblem{"Oidc", "accessToken: {secretRef: {name: \"file:token\", key: k}}",
                     "auth: {oidcConfig: {}}", "oidcConfig: organization is required"},
        StoreProblem{"OidcNamespace", "accessToken: {secretRef: {name: \"file:token\", key: k}}",
                     "auth: {oidcConfig: {organization: acme, serviceAccountRef: {name: a, "
                     "namespace: other}}}",
                     "serviceAccountRef: namespace should either be empty or match"},
        StoreProblem{"TwoAuths", "accessToken: {secretRef: {name: \"file:token\", key: k}}",
                     "auth: {oidcConfig: {a: b}, accessToken: {a: b}}",
                     "Exactly one of 'accessToken' or 'oidcConfig' must be specified"},
        StoreProblem{"TokenNamespace", "key: k", "namespace: other",
                     "should either be empty or match the namespace of the SecretStore"},
        StoreProblem{"SpecTypo", "  provider:", "  condition: []\n  provider:",
                     "spec.condition: is not a known field; did you mean conditions?"}),
    [](const ::testing::TestParamInfo<StoreProblem>& test) { return test.param.name; });

TEST(ParseSecretStore, ReportsEverythingAtOnce) {
  const ParsedStore parsed = Parse(R"(
apiVersion: external-secrets.io/v2
kind: SecretStore
metadata: {name: A}
spec: {provider: {pulumi: {}}}
)");
  EXPECT_THAT(
      parsed.problems,
      ElementsAre(HasSubstr("apiVersion"), HasSubstr("metadata.name"),
                  HasSubstr("organization is required"), HasSubstr("environment is required"),
                  HasSubstr("project is required"), HasSubstr("Exactly one of 'auth'")));
}

TEST(ParseSecretStore, AnythingElseIsAProblemAndNoCrash) {
  for (const char* text : {"[]", "text", "{}", "{kind: [a]}", "{~: b}", "{metadata: []}",
                           "{kind: SecretStore, spec: [1]}", "{spec: {provider: text}}",
                           "{spec: {provider: {pulumi: [1]}, conditions: {a: b}}}"}) {
    EXPECT_FALSE(Parse(text).problems.empty()) << text;
  }
}

TEST(ParseSecretStore, AClusterSecretStoreHasNoNamespace) {
  std::string text = Cluster(&kProvider[1]);
  text.replace(text.find("{name: app}"), 11, "{name: app, namespace: a}");
  EXPECT_THAT(Parse(text).problems, ElementsAre(HasSubstr("metadata.namespace")));
}

struct AdmitCase {
  const char* conditions;
  bool podinfo;
  bool other;
};

TEST(SecretStoreSpec, Admits) {
  const AdmitCase cases[] = {
      {"[]", true, true},
      {"[{}]", false, false},
      {"[{namespaces: [podinfo]}]", true, false},
      {"[{namespaces: [a]}, {namespaces: [podinfo, b]}]", true, false},
      {"[{namespaceRegexes: ['^pod']}]", true, false},
      {"[{namespaceRegexes: [info]}]", true, false},
      {"[{namespaceRegexes: ['^info']}]", false, false},
      {"[{namespaces: [other], namespaceRegexes: [info]}]", true, true},
      {"[{namespaceSelector: {}}]", true, true},
      {"[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: podinfo}}}]", true, false},
      {"[{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, "
       "operator: NotIn, values: [podinfo]}]}}]",
       false, true},
      {"[{namespaceSelector: {matchLabels: {team: red}}}]", false, false},
  };
  for (const AdmitCase& c : cases) {
    const ParsedStore parsed = ParseConditions(c.conditions);
    ASSERT_THAT(parsed.problems, IsEmpty()) << c.conditions;
    EXPECT_EQ(Admits(parsed.spec, "podinfo"), c.podinfo) << c.conditions;
    EXPECT_EQ(Admits(parsed.spec, "other"), c.other) << c.conditions;
  }
}

TEST(SecretStoreSpec, FaultyConditionsAreProblems) {
  EXPECT_THAT(ParseConditions("[{namespaceRegexes: ['(']}]").problems,
              ElementsAre(AllOf(HasSubstr("spec.conditions[0].namespaceRegexes"),
                                HasSubstr("not valid RE2"))));
  EXPECT_THAT(ParseConditions("[{namespace: [a]}]").problems,
              ElementsAre(HasSubstr("did you mean namespaces?")));
  EXPECT_THAT(ParseConditions("[text]").problems, ElementsAre(HasSubstr("must be a mapping")));
}

}  // namespace
}  // namespace escagent::store
