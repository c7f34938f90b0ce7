#include <gtest/gtest.h>

#include "tests/unit/template/template_fixture.h"

// toYaml, with expectations of sigs.k8s.io/yaml 1.6.
namespace escagent::gotemplate {
namespace {

constexpr Case kScalars[] = {
    {R"({{ "yes" | toYaml }})", R"("yes")"},
    {R"({{ "y" | toYaml }})", R"("y")"},
    {R"({{ "on" | toYaml }})", R"("on")"},
    {R"({{ "~" | toYaml }})", R"("~")"},
    {R"({{ "null" | toYaml }})", R"("null")"},
    {R"({{ "" | toYaml }})", R"("")"},
    {R"({{ "1" | toYaml }})", R"("1")"},
    {R"({{ "1.5" | toYaml }})", R"("1.5")"},
    {R"({{ "0x1f" | toYaml }})", R"("0x1f")"},
    {R"({{ "017" | toYaml }})", R"("017")"},
    {R"({{ "1_000" | toYaml }})", R"("1_000")"},
    {R"({{ "1e3" | toYaml }})", R"("1e3")"},
    {R"({{ ".5" | toYaml }})", R"(".5")"},
    {R"({{ ".nan" | toYaml }})", R"(".nan")"},
    {R"({{ "2020-01-01" | toYaml }})", R"("2020-01-01")"},
    {R"({{ "12:30" | toYaml }})", R"("12:30")"},
    {R"({{ " a" | toYaml }})", "' a'"},
    {R"({{ "a " | toYaml }})", "'a '"},
    {R"({{ "a: b" | toYaml }})", "'a: b'"},
    {R"({{ "a:b" | toYaml }})", "a:b"},
    {R"({{ "a #b" | toYaml }})", "'a #b'"},
    {R"({{ "#a" | toYaml }})", "'#a'"},
    {R"({{ "- a" | toYaml }})", "'- a'"},
    {R"({{ "-a" | toYaml }})", "-a"},
    {R"({{ "-" | toYaml }})", "'-'"},
    {R"({{ "?a" | toYaml }})", "?a"},
    {R"({{ "a,b" | toYaml }})", "a,b"},
    {R"({{ "[a" | toYaml }})", "'[a'"},
    {R"({{ "{a" | toYaml }})", "'{a'"},
    {R"({{ "&a" | toYaml }})", "'&a'"},
    {R"({{ "*a" | toYaml }})", "'*a'"},
    {R"({{ "!a" | toYaml }})", "'!a'"},
    {R"({{ "|a" | toYaml }})", "'|a'"},
    {R"({{ ">a" | toYaml }})", "'>a'"},
    {R"({{ "'a" | toYaml }})", "'''a'"},
    {R"({{ "%a" | toYaml }})", "'%a'"},
    {R"({{ "@a" | toYaml }})", "'@a'"},
    {R"({{ "`a" | toYaml }})", "'`a'"},
    {R"({{ "---" | toYaml }})", "'---'"},
    {R"({{ "tRUE" | toYaml }})", "tRUE"},
    {R"({{ "a:" | toYaml }})", "'a:'"},
    {R"({{ ":a" | toYaml }})", ":a"},
    {R"({{ "a]" | toYaml }})", "a]"},
    {R"({{ "it's: x" | toYaml }})", "'it''s: x'"},
    {R"({{ "1e" | toYaml }})", "1e"},
    {R"({{ "08" | toYaml }})", R"("08")"},
    {R"({{ "~a" | toYaml }})", "~a"},
    {R"({{ "a\\b" | toYaml }})", R"(a\b)"},
    {R"({{ "a\"b" | toYaml }})", R"(a"b)"},
    {R"({{ "a\tb" | toYaml }})", R"("a\tb")"},
    {R"({{ "\u00e9" | toYaml }})", "é"},
    {R"({{ "\u0001" | toYaml }})", R"("\x01")"},
    {R"({{ "\ufeff" | toYaml }})", R"("\uFEFF")"},
    {"{{ \"\xf0\x9f\x98\x80\" | toYaml }}", R"("\U0001F600")"},
    {"{{ true | toYaml }}", "true"},
    {"{{ 5 | toYaml }}", "5"},
    {"{{ 1.5 | toYaml }}", "1.5"},
    {"{{ 1e21 | toYaml }}", "1e+21"},
    {"{{ 123456789.5 | toYaml }}", "1.234567895e+08"},
    {"{{ 0.000001 | toYaml }}", "1e-06"},
    {"{{ 1000000.0 | toYaml }}", "1000000"},
};

constexpr Case kScalarsErrors[] = {
    {"{{ nil | toYaml }}", R"(template: t:1:3: executing "t" at <nil>: nil is not a command)"},
};

constexpr Case kLines[] = {
    {R"({{ "a\nb" | toYaml }})", "|-\n  a\n  b"},
    {R"({{ "a\nb\n" | toYaml }})", "|\n  a\n  b"},
    {R"({{ "a\nb\n\n" | toYaml }})", "|+\n  a\n  b\n"},
    {R"({{ " a\nb" | toYaml }})", "|2-\n   a\n  b"},
    {R"({{ "\na" | toYaml }})", "|2-\n\n  a"},
    {R"({{ "a \nb" | toYaml }})", R"("a \nb")"},
    {R"({{ "a\n b" | toYaml }})", "|-\n  a\n   b"},
    {R"({{ "a\n" | toYaml }})", "|\n  a"},
    {R"({{ "a\r\nb" | toYaml }})", R"("a\r\nb")"},
    {R"({{ "a\n\nb" | toYaml }})", "|-\n  a\n\n  b"},
    {R"({{ dict "k" "a\nb" "l" 1 | toYaml }})", "k: |-\n  a\n  b\nl: 1"},
    {R"({{ dict "k" "a\nb\n" "l" 1 | toYaml }})", "k: |\n  a\n  b\nl: 1"},
    {R"({{ dict "k" "a\nb\n\n" "l" 1 | toYaml }})", "k: |+\n  a\n  b\n\nl: 1"},
    {R"({{ dict "k" " a\nb" "l" 1 | toYaml }})", "k: |2-\n   a\n  b\nl: 1"},
    {R"({{ dict "k" "\na" "l" 1 | toYaml }})", "k: |2-\n\n  a\nl: 1"},
    {R"({{ dict "k" "a \nb" "l" 1 | toYaml }})", "k: \"a \\nb\"\nl: 1"},
    {R"({{ dict "k" "a\n b" "l" 1 | toYaml }})", "k: |-\n  a\n   b\nl: 1"},
    {R"({{ dict "k" "a\n" "l" 1 | toYaml }})", "k: |\n  a\nl: 1"},
    {R"({{ dict "k" "a\r\nb" "l" 1 | toYaml }})", "k: \"a\\r\\nb\"\nl: 1"},
    {R"({{ dict "k" "a\n\nb" "l" 1 | toYaml }})", "k: |-\n  a\n\n  b\nl: 1"},
    {R"({{ list "a\nb" | toYaml }})", "- |-\n  a\n  b"},
    {R"({{ list "a\nb\n" | toYaml }})", "- |\n  a\n  b"},
    {R"({{ list "a\nb\n\n" | toYaml }})", "- |+\n  a\n  b\n"},
    {R"({{ list " a\nb" | toYaml }})", "- |2-\n   a\n  b"},
    {R"({{ dict "a" (dict "b" "a\nb") | toYaml }})", "a:\n  b: |-\n    a\n    b"},
    {R"({{ dict "a" (dict "b" "a\nb\n") | toYaml }})", "a:\n  b: |\n    a\n    b"},
    {R"({{ dict "a" (dict "b" "a\nb\n\n") | toYaml }})", "a:\n  b: |+\n    a\n    b\n"},
    {R"({{ dict "a" (dict "b" " a\nb") | toYaml }})", "a:\n  b: |2-\n     a\n    b"},
};

constexpr Case kLongLines[] = {
    {R"({{ repeat 30 "word " | trim | toYaml }})",
     "word word word word word word word word word word word word word word word word word\n  word "
     "word word word word word word word word word word word word"},
    {R"({{ dict "key" (repeat 30 "word ") | toYaml }})",
     "key: 'word word word word word word word word word word word word word word word word\n  "
     "word word word word word word word word word word word word word word '"},
    {R"({{ list (repeat 30 "word  " | trim) | toYaml }})",
     "- word  word  word  word  word  word  word  word  word  word  word  word  word  word  word  "
     "word  word  word  word  word  word  word  word  word  word  word  word  word  word  word"},
    {R"({{ dict "k" (dict "l" (list (repeat 30 "word: " | trim))) | toYaml }})",
     "k:\n  l:\n  - 'word: word: word: word: word: word: word: word: word: word: word: word: "
     "word:\n    word: word: word: word: word: word: word: word: word: word: word: word: word:\n   "
     " word: word: word: word:'"},
    {R"({{ print (repeat 30 "w\t ") | toYaml }})",
     "\"w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t "
     "w\\t w\\t w\\t\n  w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t w\\t \""},
    {R"({{ repeat 200 "x" | toYaml }})",
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxx"},
};

constexpr Case kCollections[] = {
    {R"({{ `{"b":{"c":[1,[2,3],{"x":1,"y":[]}],"d":{}},"a":null,"j":-5,"k10":1,"k9":2,"K":3,"_":1,"a1":true}` | fromJson | toYaml }})",
     "_: 1\nK: 3\na: null\na1: true\nb:\n  c:\n  - 1\n  - - 2\n    - 3\n  - x: 1\n    \"y\": []\n  "
     "d: {}\nj: -5\nk9: 2\nk10: 1"},
    {"{{ list | toYaml }}", "[]"},
    {"{{ dict | toYaml }}", "{}"},
    {R"({{ list (list 1 2) (dict "a" (list (dict "b" 1 "c" 2))) | toYaml }})",
     "- - 1\n  - 2\n- a:\n  - b: 1\n    c: 2"},
    {"{{ . | toYaml }}",
     "b64: aGVsbG8=\nempty: \"\"\njson: "
     "'{\"a\":1,\"b\":[1,2.5,\"x\",null,true],\"c\":{\"d\":\"e\",\"n\":null},\"s\":\"<&>é\"}'"
     "\nlist: a,b,c\nmulti: |\n  line1\n  line2\nnum: \"42\"\npassword: s3cr\"et&<x>\nuser: "
     "admin\nutf: héllo wörld ñ"},
};

TEST(TemplateYaml, Scalars) { ExpectOutputs(kScalars); }
TEST(TemplateYaml, ScalarsErrors) { ExpectErrors(kScalarsErrors); }
TEST(TemplateYaml, Lines) { ExpectOutputs(kLines); }
TEST(TemplateYaml, LongLines) { ExpectOutputs(kLongLines); }
TEST(TemplateYaml, Collections) { ExpectOutputs(kCollections); }

}  // namespace
}  // namespace escagent::gotemplate
