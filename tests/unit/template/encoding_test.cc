#include <gtest/gtest.h>

#include "tests/unit/template/template_fixture.h"

// sprig's and ESO's encodings, with expectations of sprig 3.3 and sigs.k8s.io/yaml 1.6.
namespace escagent::gotemplate {
namespace {

constexpr Case kBase[] = {
    {R"({{ b64enc "hello" }})", "aGVsbG8="},
    {"{{ b64dec .b64 }}", "hello"},
    {R"({{ b64dec "!!" }})", "illegal base64 data at input byte 0"},
    {R"({{ b64dec "aGVsbG8" }})", "illegal base64 data at input byte 4"},
    {R"({{ b64dec "aGVs\nbG8=" }})", "hello"},
    {R"({{ b64dec "a" }})", "illegal base64 data at input byte 0"},
    {R"({{ b64dec "ab=c" }})", "illegal base64 data at input byte 2"},
    {R"({{ b64dec "abc=x" }})", "illegal base64 data at input byte 4"},
    {R"({{ b64dec "====" }})", "illegal base64 data at input byte 0"},
    {R"({{ b64dec "ab==cd" }})", "illegal base64 data at input byte 4"},
    {R"({{ b64dec "abcde" }})", "illegal base64 data at input byte 4"},
    {R"({{ b64dec "ab=" }})", "illegal base64 data at input byte 3"},
    {R"({{ b64dec "ab" }})", "illegal base64 data at input byte 0"},
    {R"({{ b64dec "abcd\na\nb" }})", "illegal base64 data at input byte 6"},
    {R"({{ b64dec "" }})", ""},
    {R"({{ b32enc "hello" }})", "NBSWY3DP"},
    {R"({{ b32dec "NBSWY3DP" }})", "hello"},
    {R"({{ b32enc "a" }})", "ME======"},
    {R"({{ b32dec "ME======" }})", "a"},
};

constexpr Case kBaseErrors[] = {
    {"{{ b64enc 5 }}", R"(template: t:1:10: executing "t" at <5>: expected string; found 5)"},
};

constexpr Case kDigests[] = {
    {R"({{ sha1sum "a" }})", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"},
    {R"({{ sha256sum "a" }})", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
    {R"({{ sha512sum "a" }})",
     "1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f5302860c652bf08d560252aa5e74210"
     "546f369fbbbce8c12cfc7957b2652fe9a75"},
    {R"({{ adler32sum "Wikipedia" }})", "300286872"},
};

constexpr Case kJson[] = {
    {"{{ toJson .password }}", R"("s3cr\"et\u0026\u003cx\u003e")"},
    {"{{ toRawJson .password }}", R"("s3cr\"et&<x>")"},
    {"{{ fromJson .json | toJson }}",
     R"({"a":1,"b":[1,2.5,"x",null,true],"c":{"d":"e","n":null},"s":"\u003c\u0026\u003eé"})"},
    {"{{ fromJson .json | toPrettyJson }}",
     "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    2.5,\n    \"x\",\n    null,\n    true\n  ],\n  "
     "\"c\": {\n    \"d\": \"e\",\n    \"n\": null\n  },\n  \"s\": \"\\u003c\\u0026\\u003eé\"\n}"},
    {"{{ toJson . }}",
     R"({"b64":"aGVsbG8=","empty":"","json":"{\"a\":1,\"b\":[1,2.5,\"x\",null,true],\"c\":{\"d\":\"e\",\"n\":null},\"s\":\"\u003c\u0026\u003eé\"}","list":"a,b,c","multi":"line1\nline2\n","num":"42","password":"s3cr\"et\u0026\u003cx\u003e","user":"admin","utf":"héllo wörld ñ"})"},
    {"{{ toJson 1.0 }}", "1"},
    {"{{ toJson 1e21 }}", "1e+21"},
    {"{{ toJson 1e-7 }}", "1e-7"},
    {"{{ toJson nil }}", "null"},
    {R"({{ fromJson "{bad" }})", "<no value>"},
    {R"({{ toJson (list 1 (int64 2) 1.5 true nil "\x01\u2028\xff") }})",
     R"([1,2,1.5,true,null,"\u0001\u2028\ufffd"])"},
    {"{{ toPrettyJson (list) }}", "[]"},
    {"{{ toPrettyJson (dict) }}", "{}"},
    {R"({{ toPrettyJson (dict "a" (list)) }})", "{\n  \"a\": []\n}"},
    {R"({{ toRawJson "<\u2028>" }})", R"("<\u2028>")"},
    {R"({{ fromJson "1" }})", "1"},
    {R"({{ fromJson "\"x\"" }})", "x"},
    {R"({{ fromJson "null" }})", "<no value>"},
};

constexpr Case kPaths[] = {
    {R"({{ base "/a/b.txt" }})", "b.txt"},
    {R"({{ dir "/a/b.txt" }})", "/a"},
    {R"({{ ext "/a/b.tar.gz" }})", ".gz"},
    {R"({{ clean "/a/../b//c/." }})", "/b/c"},
    {R"({{ isAbs "/a" }})", "true"},
    {R"({{ base "" }})", "."},
    {R"({{ base "///" }})", "/"},
    {R"({{ dir "a" }})", "."},
    {R"({{ clean "" }})", "."},
    {R"({{ clean "../a/.." }})", ".."},
    {R"({{ ext "a/b" }})", ""},
    {R"({{ dir "/" }})", "/"},
    {R"({{ clean "/.." }})", "/"},
    {R"({{ osBase "a/b" }})", "b"},
    {R"({{ base "a/" }})", "a"},
    {R"({{ dir "a/b/" }})", "a/b"},
    {R"({{ ext ".x" }})", ".x"},
};

constexpr Case kUrls[] = {
    {R"({{ urlParse "https://us%20er:p%40ss@host.com:8080/a%20b/c?x=1&y=2#frag" | toJson }})",
     R"({"fragment":"frag","host":"host.com:8080","hostname":"host.com","opaque":"","path":"/a b/c","query":"x=1\u0026y=2","scheme":"https","userinfo":"us%20er:p%40ss"})"},
    {R"({{ urlParse "mailto:a@b.c" | toJson }})",
     R"({"fragment":"","host":"","hostname":"","opaque":"a@b.c","path":"","query":"","scheme":"mailto","userinfo":""})"},
    {R"({{ urlParse "/just/path" | toJson }})",
     R"({"fragment":"","host":"","hostname":"","opaque":"","path":"/just/path","query":"","scheme":"","userinfo":""})"},
    {R"({{ urlParse "http://[::1]:80/" | toJson }})",
     R"({"fragment":"","host":"[::1]:80","hostname":"::1","opaque":"","path":"/","query":"","scheme":"http","userinfo":""})"},
    {R"({{ urlParse "HTTP://h" | toJson }})",
     R"({"fragment":"","host":"h","hostname":"h","opaque":"","path":"","query":"","scheme":"http","userinfo":""})"},
    {R"({{ urlParse "" | toJson }})",
     R"({"fragment":"","host":"","hostname":"","opaque":"","path":"","query":"","scheme":"","userinfo":""})"},
    {R"({{ urlJoin (dict "scheme" "http" "host" "host:80" "path" "/a b" "query" "q=1" "fragment" "f g" "userinfo" "u:p@x") }})",
     "http://u:p%40x@host:80/a%20b?q=1#f%20g"},
    {R"({{ urlJoin (dict "host" "h" "path" "rel") }})", "//h/rel"},
    {R"({{ urlJoin (dict "path" "/p") }})", "/p"},
    {R"({{ urlJoin (dict "scheme" "mailto" "opaque" "a@b") }})", "mailto:a@b"},
    {"{{ urlJoin (dict) }}", ""},
};

constexpr Case kUrlsErrors[] = {
    {R"({{ urlJoin (dict "host" 5) }})",
     R"(template: t:1:3: executing "t" at <urlJoin (dict "host" 5)>: error calling urlJoin: unable to parse host key, must be of type string, but int found)"},
};

constexpr Case kYaml[] = {
    {R"({{ (fromYaml "a: 1\nb: [x, yes, null, 1.5]\nc: {d: e}\nf: \"1\"\ng: 0x10\nh: 017\ni: ~\nj: 2020-01-01\nk: |\n  x\n  y\n") | toJson }})",
     R"({"a":1,"b":["x",true,null,1.5],"c":{"d":"e"},"f":"1","g":16,"h":15,"i":null,"j":"2020-01-01","k":"x\ny\n"})"},
    {R"({{ fromYaml "" }})", "map[]"},
    {R"({{ fromYaml "1: a\ntrue: b\n" | toJson }})", R"({"1":"a","true":"b"})"},
    {R"({{ fromYaml "a: &x {b: 1}\nc: *x\n" | toJson }})", R"({"a":{"b":1},"c":{"b":1}})"},
    {R"({{ fromYaml "a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n" | toJson }})",
     R"({"a":{"b":1},"c":{"b":1,"d":2}})"},
};

TEST(TemplateEncoding, Base) { ExpectOutputs(kBase); }
TEST(TemplateEncoding, BaseErrors) { ExpectErrors(kBaseErrors); }
TEST(TemplateEncoding, Digests) { ExpectOutputs(kDigests); }
TEST(TemplateEncoding, Json) { ExpectOutputs(kJson); }
TEST(TemplateEncoding, Paths) { ExpectOutputs(kPaths); }
TEST(TemplateEncoding, Urls) { ExpectOutputs(kUrls); }
TEST(TemplateEncoding, UrlsErrors) { ExpectErrors(kUrlsErrors); }
TEST(TemplateEncoding, Yaml) { ExpectOutputs(kYaml); }

}  // namespace
}  // namespace escagent::gotemplate
