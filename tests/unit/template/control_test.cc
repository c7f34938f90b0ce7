#include <gtest/gtest.h>

#include "tests/unit/template/template_fixture.h"

// Fields, variables and control structures, with expectations of Go 1.26.
namespace escagent::gotemplate {
namespace {

constexpr Case kFields[] = {
    {"{{ .user }}", "admin"},
    {"{{ . }}",
     "map[b64:aGVsbG8= empty: "
     "json:{\"a\":1,\"b\":[1,2.5,\"x\",null,true],\"c\":{\"d\":\"e\",\"n\":null},\"s\":\"<&>é\"} "
     "list:a,b,c multi:line1\nline2\n num:42 password:s3cr\"et&<x> user:admin utf:héllo wörld ñ]"},
    {"{{ $ }}",
     "map[b64:aGVsbG8= empty: "
     "json:{\"a\":1,\"b\":[1,2.5,\"x\",null,true],\"c\":{\"d\":\"e\",\"n\":null},\"s\":\"<&>é\"} "
     "list:a,b,c multi:line1\nline2\n num:42 password:s3cr\"et&<x> user:admin utf:héllo wörld ñ]"},
    {"{{ (fromJson .json).c.d }}", "e"},
    {"{{ (fromJson .json).c.n }}", "<no value>"},
};

constexpr Case kFieldsErrors[] = {
    {"{{ .missing }}",
     R"(template: t:1:3: executing "t" at <.missing>: map has no entry for key "missing")"},
    {"{{ .user.x }}",
     R"(template: t:1:8: executing "t" at <.user.x>: can't evaluate field x in type string)"},
    {"{{ (fromJson .json).c.n.x }}",
     R"(template: t:1:13: executing "t" at <.json>: nil pointer evaluating interface {}.x)"},
    {"{{ (fromJson .json).c.zz }}",
     R"(template: t:1:13: executing "t" at <.json>: map has no entry for key "zz")"},
    {"{{ (fromJson .json).a.b }}",
     R"(template: t:1:13: executing "t" at <.json>: can't evaluate field b in type interface {})"},
    {"{{ $j := fromJson .json }}{{ $j.c.d }}{{ $j.a.b }}",
     R"(template: t:1:43: executing "t" at <$j.a.b>: can't evaluate field b in type interface {})"},
    {"{{ .user.foo.bar }}",
     R"(template: t:1:8: executing "t" at <.user.foo.bar>: can't evaluate field foo in type string)"},
    {"line1\n{{ .user }}\n{{ .bad }}",
     R"(template: t:3:3: executing "t" at <.bad>: map has no entry for key "bad")"},
    {"line1\n  {{ upper\n 5 }}",
     R"(template: t:3:1: executing "t" at <5>: expected string; found 5)"},
    {R"({{ (index . "user").x }})",
     R"(template: t:1:12: executing "t" at <"user">: can't evaluate field x in type string)"},
};

constexpr Case kIf[] = {
    {"{{ if .empty }}a{{ else if .user }}b{{ else }}c{{ end }}", "b"},
    {"{{ with .user }}{{ . }}{{ else }}n{{ end }}", "admin"},
    {"{{ with .empty }}{{ . }}{{ else with .user }}{{ . }}!{{ end }}", "admin!"},
    {R"({{ if eq .user "admin" }}yes{{ end }})", "yes"},
    {"{{with $x := .user}}{{$x}}{{end}}{{if $x := 3}}{{$x}}{{end}}", "admin3"},
};

constexpr Case kRange[] = {
    {"{{ range $k, $v := fromJson .json }}{{ $k }}={{ $v }};{{ end }}",
     "a=1;b=[1 2.5 x <nil> true];c=map[d:e n:<nil>];s=<&>é;"},
    {"{{ range (fromJson .json).b }}[{{ . }}]{{ end }}", "[1][2.5][x][<no value>][true]"},
    {"{{ range $i, $e := (fromJson .json).b }}{{ $i }}:{{ $e }},{{ end }}",
     "0:1,1:2.5,2:x,3:<no value>,4:true,"},
    {"{{ range $i := 3 }}{{ $i }}{{ end }}", "012"},
    {"{{ range 3 }}{{ . }}{{ end }}", "012"},
    {"{{ range 0 }}x{{ else }}none{{ end }}", "none"},
    {"{{ range until 10 }}{{ if eq . 3 }}{{ continue }}{{ end }}{{ if gt . 5 }}{{ break }}{{ end "
     "}}{{ . }}{{ end }}",
     "01245"},
    {R"({{ range . }}{{ template "z" . }}{{ break }}{{ end }}{{ define "z" }}[{{ . }}]{{ end }})",
     "[aGVsbG8=]"},
    {"{{ range $k := list 1 2 }}{{ $k }}{{ end }}", "12"},
    {"{{ $v := 0 }}{{ range $v = list 1 2 }}{{ end }}{{ $v }}", "2"},
    {R"({{ $i := 0 }}{{ $v := 0 }}{{ range $i, $v = list "a" "b" }}{{ end }}{{ $i }}{{ $v }})",
     "1b"},
    {R"({{ range $k, $v := dict "b" 1 "a" 2 }}{{ $k }}{{ $v }}{{ end }})", "a2b1"},
    {"{{ $l := list }}{{ range until 3 }}{{ $l = append $l . }}{{ end }}{{ $l }}", "[0 1 2]"},
};

constexpr Case kVariables[] = {
    {R"({{ $x := .user }}{{ $x }}{{ $x = "y" }}{{ $x }})", "adminy"},
    {"{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"},
    {"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"},
};

constexpr Case kTemplates[] = {
    {R"({{ define "x" }}<{{ . }}>{{ end }}{{ template "x" .user }}{{ template "x" }})",
     "<admin><<no value>>"},
    {R"({{ define "r" }}{{ if gt . 0 }}{{ . }}{{ template "r" (sub . 1 | int) }}{{ end }}{{ end }}{{ template "r" 3 }})",
     "321"},
    {R"({{ define "v" }}{{ $ }}{{ end }}{{ $x := 1 }}{{ template "v" $x }})", "1"},
    {R"({{ define "e" }} {{ end }}{{ define "e" }}second{{ end }}{{ template "e" }})", "second"},
};

constexpr Case kTemplatesErrors[] = {
    {R"({{ template "nope" }})",
     R"(template: t:1:12: executing "t" at <{{template "nope"}}>: template "nope" not defined)"},
    {R"({{ block "b" .user }}B{{ . }})", "template: t:1: unexpected EOF"},
    {"{{ end }}", "template: t:1: unexpected {{end}}"},
};

constexpr Case kLogic[] = {
    {R"({{ and 1 0 "x" }})", "0"},
    {R"({{ and 1 "x" }})", "x"},
    {R"({{ or 0 "" "z" }})", "z"},
    {R"({{ or 0 "" }})", ""},
    {"{{ not 0 }}", "true"},
    {"{{ 0 | or 5 }}", "5"},
    {"{{ 1 | and 0 }}", "0"},
    {R"({{ and false (fail "x") }}ok{{ or true (fail "x") }})", "falseoktrue"},
};

constexpr Case kComparison[] = {
    {"{{ eq 1 1 }}", "true"},         {"{{ eq 1 2 3 1 }}", "true"}, {R"({{ eq "a" "a" }})", "true"},
    {R"({{ ne "a" "b" }})", "true"},  {"{{ lt 1 2 }}", "true"},     {"{{ le 2 2 }}", "true"},
    {R"({{ gt "b" "a" }})", "true"},  {"{{ ge 1.5 1.5 }}", "true"}, {"{{ eq true true }}", "true"},
    {"{{ eq (dict) nil }}", "false"}, {"{{ eq nil nil }}", "true"}, {"{{ eq .user nil }}", "false"},
};

constexpr Case kComparisonErrors[] = {
    {"{{ eq 1 1.0 }}",
     R"(template: t:1:3: executing "t" at <eq 1 1.0>: error calling eq: incompatible types for comparison: int and float64)"},
    {R"({{ eq 1 "1" }})",
     R"(template: t:1:3: executing "t" at <eq 1 "1">: error calling eq: incompatible types for comparison: int and string)"},
    {R"({{ lt 1 "a" }})",
     R"(template: t:1:3: executing "t" at <lt 1 "a">: error calling lt: incompatible types for comparison: int and string)"},
    {"{{ lt true false }}",
     R"(template: t:1:3: executing "t" at <lt true false>: error calling lt: invalid type for comparison)"},
    {"{{ eq 1 }}",
     R"(template: t:1:3: executing "t" at <eq 1>: error calling eq: missing argument for comparison)"},
};

TEST(TemplateControl, Fields) { ExpectOutputs(kFields); }
TEST(TemplateControl, FieldsErrors) { ExpectErrors(kFieldsErrors); }
TEST(TemplateControl, If) { ExpectOutputs(kIf); }
TEST(TemplateControl, Range) { ExpectOutputs(kRange); }
TEST(TemplateControl, Variables) { ExpectOutputs(kVariables); }
TEST(TemplateControl, Templates) { ExpectOutputs(kTemplates); }
TEST(TemplateControl, TemplatesErrors) { ExpectErrors(kTemplatesErrors); }
TEST(TemplateControl, Logic) { ExpectOutputs(kLogic); }
TEST(TemplateControl, Comparison) { ExpectOutputs(kComparison); }
TEST(TemplateControl, ComparisonErrors) { ExpectErrors(kComparisonErrors); }

}  // namespace
}  // namespace escagent::gotemplate
