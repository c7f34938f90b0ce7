#include <gtest/gtest.h>

#include <string>

#include "agent/template/render.h"

// Templates as people write them in ExternalSecrets.
namespace escagent::gotemplate {
namespace {

std::string Rendered(std::string_view text, const Fields& fields) {
  const Result<Secret> result = Render("config", text, fields);
  return result ? std::string(result->Reveal()) : "error: " + result.error().message;
}

TEST(ExternalSecretTemplate, DockerConfig) {
  const Fields fields = {{"registry", "ghcr.io"}, {"username", "bot"}, {"password", "p\"w"}};
  EXPECT_EQ(
      Rendered(
          R"({"auths":{"{{ .registry }}":{"username":"{{ .username }}","password":)"
          R"({{ .password | toJson }},"auth":"{{ printf "%s:%s" .username .password | b64enc }}"}}})",
          fields),
      R"({"auths":{"ghcr.io":{"username":"bot","password":"p\"w","auth":"Ym90OnAidw=="}}})");
}

TEST(ExternalSecretTemplate, DatabaseUrl) {
  EXPECT_EQ(Rendered("postgres://{{ .user }}:{{ .password | urlquery }}@{{ .host }}:5432/app",
                     {{"user", "app"}, {"password", "a b&c"}, {"host", "db"}}),
            "postgres://app:a+b%26c@db:5432/app");
}

TEST(ExternalSecretTemplate, ConfigurationFile) {
  constexpr char kTemplate[] = R"([database]
{{- with .host }}
host = {{ . | quote }}
{{- end }}
{{- range $i, $name := splitList "," .replicas }}
replica.{{ $i }} = {{ $name | trim | quote }}
{{- end }}
{{- /* set from the environment's flag */}}
{{- if eq .tls "true" }}
sslmode = "verify-full"
{{- else }}
sslmode = "disable"
{{- end }}
)";
  EXPECT_EQ(Rendered(kTemplate, {{"host", "db"}, {"replicas", "a, b"}, {"tls", "true"}}),
            "[database]\nhost = \"db\"\nreplica.0 = \"a\"\nreplica.1 = \"b\"\n"
            "sslmode = \"verify-full\"\n");
  EXPECT_EQ(Rendered(kTemplate, {{"host", ""}, {"replicas", "a"}, {"tls", "no"}}),
            "[database]\nreplica.0 = \"a\"\nsslmode = \"disable\"\n");
}

TEST(ExternalSecretTemplate, ObjectsInJson) {
  const Fields fields = {{"obj", R"({"b":"2","a":"1","n":{"x":true}})"}};
  EXPECT_EQ(Rendered("{{ range $k, $v := fromJson .obj }}{{ $k }}={{ $v }}\n{{ end }}", fields),
            "a=1\nb=2\nn=map[x:true]\n");
  EXPECT_EQ(Rendered("{{ (fromJson .obj).n.x }}", fields), "true");
  EXPECT_EQ(Rendered("settings:\n{{ fromJson .obj | toYaml | indent 2 }}", fields),
            "settings:\n  a: \"1\"\n  b: \"2\"\n  \"n\":\n    x: true");
}

TEST(ExternalSecretTemplate, KeysWithDashesAreReadWithIndex) {
  EXPECT_EQ(Rendered(R"({{ index . "api-key" | b64enc | quote }})", {{"api-key", "k"}}),
            R"("aw==")");
  EXPECT_EQ(Rendered("{{ .api-key }}", {{"api-key", "k"}}),
            "error: template: config:1: bad character U+002D '-'");
}

TEST(ExternalSecretTemplate, AMissingKeyIsAnErrorWithItsPlace) {
  EXPECT_EQ(Rendered("a\nb {{ .passwrod }}", {{"password", "k"}}),
            R"(error: template: config:2:5: executing "config" at <.passwrod>: )"
            R"(map has no entry for key "passwrod")");
}

TEST(ExternalSecretTemplate, ValuesAreBytes) {
  const std::string bytes("\x00\xFF\xFE", 3);
  EXPECT_EQ(Rendered("{{ .v }}", {{"v", bytes}}), bytes);
  EXPECT_EQ(Rendered("{{ .v | b64enc }}", {{"v", bytes}}), "AP/+");
  EXPECT_EQ(Rendered("{{ .v | b64enc | b64dec }}", {{"v", bytes}}), bytes);
  EXPECT_EQ(Rendered("{{ .v }}", {{"v", "{{ .v }}"}}), "{{ .v }}");
}

TEST(ExternalSecretTemplate, AnEmptyTemplateIsAnEmptyText) {
  EXPECT_EQ(Rendered("", {}), "");
  EXPECT_EQ(Rendered("{{ define \"x\" }}{{ end }}", {}), "");
}

}  // namespace
}  // namespace escagent::gotemplate
