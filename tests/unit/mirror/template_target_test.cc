#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/mirror/target_secret.h"
#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SecretData Fetched() { return Data({{"user", "ann"}, {"password", "canary-secret"}}); }

TemplateSources Sources() {
  TemplateSources sources;
  sources[{.kind = TemplateFrom::Kind::kConfigMap, .name = "cm"}] =
      Data({{"conf", "name={{ .user }}"}, {"map", "a: {{ .user }}\nb: \"2\"\nc: 3\nd:\n"}});
  sources[{.kind = TemplateFrom::Kind::kSecret, .name = "sec"}] =
      Data({{"conf", "secret={{ .password }}"}});
  return sources;
}

Result<TargetSecret> Build(std::string_view rules) {
  return BuildTarget(ObjectWith(R"({"target": {"template": )" + std::string(rules) + "}}"),
                     Fetched(), Sources());
}

TargetSecret Good(std::string_view rules) {
  Result<TargetSecret> target = Build(rules);
  EXPECT_TRUE(target) << rules << ": " << (target ? "" : target.error().message);
  return target ? *std::move(target) : TargetSecret();
}

std::string Bad(std::string_view rules) {
  const Result<TargetSecret> target = Build(rules);
  EXPECT_FALSE(target) << rules;
  if (target) return "";
  EXPECT_THAT(target.error().message, HasSubstr("could not apply template: "));
  EXPECT_THAT(target.error().message, Not(HasSubstr("canary")));
  return target.error().message;
}

TEST(Template, ReplacesTheFetchedKeysUnlessMerged) {
  EXPECT_EQ(Plain(Good(R"({"data": {"url": "{{ .user }}:{{ .password }}@db"}})").data),
            (PlainData{{"url", "ann:canary-secret@db"}}));
  EXPECT_EQ(Plain(Good(R"({"mergePolicy": "Merge", "data": {"user": "{{ .user }}!"}})").data),
            (PlainData{{"user", "ann!"}, {"password", "canary-secret"}}));
  // A template without data is about metadata only.
  const TargetSecret typed =
      Good(R"({"type": "Opaque", "metadata": {"finalizers": ["example.com/f"]}})");
  EXPECT_EQ(Plain(typed.data), Plain(Fetched()));
  EXPECT_EQ(typed.type, "Opaque");
  EXPECT_THAT(typed.finalizers, ::testing::ElementsAre("example.com/f"));
}

TEST(Template, ItsMetadataReplacesTheCopy) {
  ExternalSecret object = ObjectWith(R"({"target": {"template": {"metadata": {
      "labels": {"who": "{{ .user }}"}, "annotations": {"note": "for {{ .user }}"}}}}})");
  object.labels = {{"copied", "no"}};
  const auto target = BuildTarget(object, Fetched(), {});
  ASSERT_TRUE(target);
  EXPECT_EQ(target->labels, (StringMap{{"who", "ann"},
                                       {kManagedLabel, "true"},
                                       {kCreatedByLabel, CreatedByHash("podinfo", "app")}}));
  EXPECT_EQ(target->annotations, (StringMap{{"note", "for ann"}}));
}

TEST(Template, LaterSourcesWin) {
  constexpr char kFrom[] = R"("templateFrom": [
      {"secret": {"name": "sec", "items": [{"key": "conf"}]}},
      {"configMap": {"name": "cm", "items": [{"key": "conf"}]}}])";
  EXPECT_EQ(Plain(Good("{" + std::string(kFrom) + "}").data), (PlainData{{"conf", "name=ann"}}));
  EXPECT_EQ(Plain(Good(R"({"data": {"conf": "mine"}, )" + std::string(kFrom) + "}").data),
            (PlainData{{"conf", "mine"}}));
}

TEST(Template, KeysAndValuesAreAYamlMapping) {
  EXPECT_EQ(Plain(Good(R"({"templateFrom": [{"configMap": {"name": "cm",
                 "items": [{"key": "map", "templateAs": "KeysAndValues"}]}}]})")
                      .data),
            (PlainData{{"a", "ann"}, {"b", "2"}, {"c", "3"}, {"d", ""}}));
  EXPECT_EQ(Plain(Good(R"({"templateFrom": [{"literal": "{{ .user }}: aGVsbG8=",
                                            "valuesDecodingStrategy": "Base64"}]})")
                      .data),
            (PlainData{{"ann", "hello"}}));
  const TargetSecret labelled = Good(R"({"templateFrom": [
      {"literal": "l-{{ .user }}: x", "target": "Labels"},
      {"literal": "a-{{ .user }}: some text", "target": "annotations"}]})");
  EXPECT_EQ(labelled.labels.at("l-ann"), "x");
  EXPECT_EQ(labelled.annotations.at("a-ann"), "some text");
  EXPECT_EQ(Plain(labelled.data), PlainData());
  EXPECT_EQ(Plain(Good(R"({"templateFrom": [{"literal": ""}]})").data), PlainData());
}

TEST(Template, ErrorsNameTheTemplateAndHoldNoValue) {
  struct Case {
    const char* rules;
    const char* message;
  };
  constexpr Case kCases[] = {
      {R"({"data": {"k": "{{ .absent }}"}})", "unable to execute template at key \"k\""},
      {R"({"data": {"k": "{{ if }}"}})", "unable to execute template at key \"k\""},
      {R"({"data": {"k": "{{ nosuch .password }}"}})", "function \"nosuch\" not defined"},
      {R"({"data": {"a b": "x"}})", "key \"a b\" has characters"},
      {R"({"metadata": {"labels": {"l": "{{ .password }} {{ .user }}"}}})",
       "the value for label \"l\" is not allowed"},
      {R"({"metadata": {"labels": {"a b": "x"}}})", "\"a b\" is no valid key of a label"},
      {R"({"metadata": {"labels": {"reconcile.external-secrets.io/created-by": "x"}}})",
       "is reserved and must not be set by a template"},
      {R"({"metadata": {"annotations": {"reconcile.external-secrets.io/data-hash": "x"}}})",
       "is reserved and must not be set by a template"},
      {R"({"templateFrom": [{"configMap": {"name": "gone", "items": [{"key": "k"}]}}]})",
       "configmap gone, which templateFrom names, was not found"},
      {R"({"templateFrom": [{"secret": {"name": "sec", "items": [{"key": "gone"}]}}]})",
       "error in secret sec: missing key \"gone\""},
      {R"({"templateFrom": [{"literal": "- {{ .password }}"}]})",
       "the output of template \"literal\" is not a YAML mapping"},
      {R"({"templateFrom": [{"literal": "{{ .password }}"}]})", "is not a YAML mapping"},
      {R"({"templateFrom": [{"literal": "a: [{{ .password }}"}]})", "invalid YAML"},
      {R"({"templateFrom": [{"literal": "a: [{{ .password }}]"}]})", "has a value that is no text"},
      {R"({"templateFrom": [{"literal": "a: {{ .password }}",
                            "valuesDecodingStrategy": "Base64"}]})",
       "error applying decoding strategy Base64 to key \"a\""},
      {R"({"templateFrom": [{"literal": "reconcile.external-secrets.io/managed: no",
                            "target": "Labels"}]})",
       "is reserved"},
  };
  for (const Case& c : kCases) EXPECT_THAT(Bad(c.rules), HasSubstr(c.message)) << c.rules;
}

}  // namespace
}  // namespace escagent::mirror
