#include <gtest/gtest.h>

#include "tests/unit/template/template_fixture.h"

// Texts, actions, and what the parser refuses. The expectations are those of Go 1.26.
namespace escagent::gotemplate {
namespace {

constexpr Case kText[] = {
    {"hello", "hello"},
    {"{{ .user }}", "admin"},
    {"{{ .password | b64enc | quote }}", R"("czNjciJldCY8eD4=")"},
    {"{{- .user -}}", "admin"},
    {" a {{- .user -}} b", " aadminb"},
    {"a {{ .user -}}   \n  b", "a adminb"},
    {"x{{/* c */}}y", "xy"},
    {"x {{- /* c */ -}} y", "xy"},
    {"{{ $.user }}{{ with .user }}{{ $.password }}{{ end }}", R"(admins3cr"et&<x>)"},
    {R"({{- "a" }})", "a"},
    {R"({{ "b" -}})", "b"},
    {R"({{- "c" }})", "c"},
    {"{{-3}}", "-3"},
    {"{{ 3 -}}", "3"},
    {"{{.user}}", "admin"},
    {R"({{"}}"}})", "}}"},
    {R"({{ "{{" }})", "{{"},
};

constexpr Case kTextErrors[] = {
    {"{{/* unclosed", "template: t:1: unclosed comment"},
};

constexpr Case kLiterals[] = {
    {"{{ 1 }}", "1"},
    {"{{ 1.0 }}", "1"},
    {"{{ 1.5 }}", "1.5"},
    {"{{ 0x10 }}", "16"},
    {"{{ 'a' }}", "97"},
    {"{{ 1e3 }}", "1000"},
    {"{{ -5 }}", "-5"},
    {"{{ true }}", "true"},
    {"{{ `raw\n` }}", "raw\n"},
    {"{{ 1_000 }}", "1000"},
    {"{{ 0b11 }}", "3"},
    {"{{ 0o17 }}", "15"},
    {"{{ 017 }}", "15"},
    {"{{ +3 }}", "3"},
    {R"({{ '\n' }})", "10"},
    {R"({{ '\u00e9' }})", "233"},
    {R"({{ "\a\101" }})",
     "\x07"
     "A"},
    {"{{ 0x1p4 }}", "16"},
    {"{{ .5 }}", "0.5"},
    {"{{ 0x_1 }}", "1"},
};

constexpr Case kLiteralsErrors[] = {
    {"{{ \"q\n\\\"é\\x41\\u00e9\" }}", "template: t:1: unterminated quoted string"},
    {"{{ 1e400 }}", R"(template: t:1: illegal number syntax: "1e400")"},
    {"{{ nil }}", R"(template: t:1:3: executing "t" at <nil>: nil is not a command)"},
    {"{{ 99999999999999999999 }}", R"(template: t:1: integer overflow: "99999999999999999999")"},
    {"{{ 3abc }}", R"(template: t:1: bad number syntax: "3a")"},
    {R"({{ "unterminated }})", "template: t:1: unterminated quoted string"},
    {"{{ `raw }}", "template: t:1: unterminated raw quoted string"},
    {"{{ true.x }}", R"(template: t:1: unexpected . after term "true")"},
    {"{{ 1.x }}", R"(template: t:1: bad number syntax: "1.x")"},
    {R"({{ "a".b }})", R"(template: t:1: unexpected . after term "\"a\"")"},
    {"{{ nil.x }}", R"(template: t:1: unexpected . after term "nil")"},
    {"{{ 'ab' }}", "template: t:1: malformed character constant: 'ab'"},
    {R"({{ "\z" }})", "template: t:1: invalid syntax"},
    {"{{ 1__0 }}", R"(template: t:1: illegal number syntax: "1__0")"},
};

constexpr Case kActions[] = {
    {"{{ .user | }}", "admin"},
    {"{{ .1 }}", "0.1"},
};

constexpr Case kActionsErrors[] = {
    {"{{ .user", "template: t:1: unclosed action"},
    {"{{ (.user }}", "template: t:1: unclosed left paren"},
    {"{{ .user) }}", "template: t:1: unexpected right paren"},
    {"{{ | .user }}", R"(template: t:1: unexpected "|" in command)"},
    {R"({{ .user | "x" }})", "template: t:1: non executable command in pipeline stage 2"},
    {R"({{ .user "x" }})",
     R"(template: t:1:3: executing "t" at <.user>: user is not a method but has arguments)"},
    {R"({{ "x" .user }})",
     R"(template: t:1:3: executing "t" at <"x">: can't give argument to non-function "x")"},
    {"{{ .user.}}", "template: t:1: unexpected <.> in operand"},
    {"{{ @ }}", R"(template: t:1: unexpected "@" in command)"},
    {"{{ a.b }}", R"(template: t:1: function "a" not defined)"},
    {"{{ é }}", R"(template: t:1: function "é" not defined)"},
    {"{{ .é }}", R"(template: t:1:3: executing "t" at <.é>: map has no entry for key "é")"},
    {"{{ x:y }}", R"(template: t:1: function "x" not defined)"},
    {"{{ - }}", R"(template: t:1: illegal number syntax: "-")"},
};

constexpr Case kBlocksErrors[] = {
    {"{{ if }}a{{ end }}", "template: t:1: missing value for if"},
    {"{{ end }}", "template: t:1: unexpected {{end}}"},
    {"{{ if .user }}", "template: t:1: unexpected EOF"},
    {"{{ else }}", "template: t:1: unexpected {{else}}"},
    {"{{ break }}", "template: t:1: {{break}} outside {{range}}"},
    {"{{ template }}", R"(template: t:1: unexpected "}}" in template clause)"},
    {"{{ template 5 }}", R"(template: t:1: unexpected "5" in template clause)"},
    {R"({{ define "a" }}1{{ end }}{{ define "a" }}2{{ end }})",
     R"(template: t:1: template: multiple definition of template "a")"},
    {R"({{ define "a" }})", "template: t:1: unexpected EOF"},
    {R"({{ if true }}{{ define "x" }}{{ end }}{{ end }})",
     "template: t:1: unexpected <define> in command"},
    {"{{ if true }}{{ range . }}{{ end }}", "template: t:1: unexpected EOF"},
    {"{{ continue }}", "template: t:1: {{continue}} outside {{range}}"},
    {R"({{ block "n" }}x{{ end }})", "template: t:1: missing value for block clause"},
    {"{{ if true }}a{{ else }}b{{ else }}c{{ end }}",
     "template: t:1: expected end; found {{else}}"},
    {"{{ with true }}a{{ else if true }}c{{ end }}", "template: t:1: unexpected <if> in input"},
    {"{{ $x, $y := 1 }}", "template: t:1: too many declarations in command"},
    {"{{ range $a, $b, $c := . }}{{ end }}", "template: t:1: too many declarations in range"},
    {"{{ range $i, 5 }}{{ end }}", "template: t:1: range can only initialize variables"},
    {"{{ $x }}", R"(template: t:1: undefined variable "$x")"},
    {"{{ $x = 1 }}", R"(template: t:1:8: executing "t" at <1>: undefined variable: $x)"},
};

constexpr Case kFunctionsErrors[] = {
    {"{{ foo }}", R"(template: t:1: function "foo" not defined)"},
    {"{{ .user | foo }}", R"(template: t:1: function "foo" not defined)"},
    {"{{ upper }}",
     R"(template: t:1:3: executing "t" at <upper>: wrong number of args for upper: want 1 got 0)"},
    {"{{ upper .user .user }}",
     R"(template: t:1:3: executing "t" at <upper>: wrong number of args for upper: want 1 got 2)"},
    {"{{ upper 1 }}", R"(template: t:1:9: executing "t" at <1>: expected string; found 1)"},
    {"{{ 1 | upper }}",
     R"(template: t:1:7: executing "t" at <upper>: wrong type for value; expected string; got int)"},
    {"{{ upper nil }}", R"(template: t:1:9: executing "t" at <nil>: cannot assign nil to string)"},
    {"{{ nil | upper }}", R"(template: t:1:3: executing "t" at <nil>: nil is not a command)"},
    {R"({{ repeat "x" "y" }})",
     R"(template: t:1:10: executing "t" at <"x">: expected integer; found "x")"},
    {"{{ and }} ",
     R"(template: t:1:3: executing "t" at <and>: wrong number of args for and: want at least 1 got 0)"},
    {"{{ .user | b64enc | b64dex }}", R"(template: t:1: function "b64dex" not defined)"},
};

TEST(TemplateSyntax, Text) { ExpectOutputs(kText); }
TEST(TemplateSyntax, TextErrors) { ExpectErrors(kTextErrors); }
TEST(TemplateSyntax, Literals) { ExpectOutputs(kLiterals); }
TEST(TemplateSyntax, LiteralsErrors) { ExpectErrors(kLiteralsErrors); }
TEST(TemplateSyntax, Actions) { ExpectOutputs(kActions); }
TEST(TemplateSyntax, ActionsErrors) { ExpectErrors(kActionsErrors); }
TEST(TemplateSyntax, BlocksErrors) { ExpectErrors(kBlocksErrors); }
TEST(TemplateSyntax, FunctionsErrors) { ExpectErrors(kFunctionsErrors); }

}  // namespace
}  // namespace escagent::gotemplate
