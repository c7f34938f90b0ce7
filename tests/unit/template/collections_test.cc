#include <gtest/gtest.h>

#include "tests/unit/template/template_fixture.h"

// sprig's functions on lists, dicts, numbers and types, with expectations of sprig 3.3.
namespace escagent::gotemplate {
namespace {

constexpr Case kLists[] = {
    {R"({{ list 1 2 3 }} {{ first (list 1 2) }} {{ last (list 1 2) }} {{ rest (list 1 2 3) }} {{ initial (list 1 2 3) }} {{ append (list 1) 2 }} {{ prepend (list 1) 0 }} {{ concat (list 1) (list 2 3) }} {{ reverse (list 1 2 3) }} {{ uniq (list 1 1 2 "1") }} {{ without (list 1 2 3) 2 }} {{ has 2 (list 1 2) }} {{ has 9 (list 1) }} {{ compact (list 0 1 "" "a" nil) }} {{ slice (list 1 2 3) 1 2 }} {{ chunk 2 (list 1 2 3) }} {{ first (list) }}|{{ rest (list) }} {{ has 1 nil }} {{ tuple 1 2 }} {{ push (list 1) 2 }})",
     "[1 2 3] 1 2 [2 3] [1 2] [1 2] [0 1] [1 2 3] [3 2 1] [1 2 1] [1 3] true false [1 a] [2] [[1 "
     "2] [3]] <no value>|[] false [1 2] [1 2]"},
    {R"({{ list "a" "b" | toYaml | nindent 2 }})", "\n  - a\n  - b"},
    {"{{ rest (list) }}", "[]"},
};

constexpr Case kListsErrors[] = {
    {R"({{ append "a" 1 }})",
     R"(template: t:1:3: executing "t" at <append "a" 1>: error calling append: Cannot push on type string)"},
    {R"({{ concat "a" }})",
     R"(template: t:1:3: executing "t" at <concat "a">: error calling concat: Cannot concat type string as list)"},
    {"{{ slice (list 1) 5 }}",
     R"(template: t:1:3: executing "t" at <slice (list 1) 5>: error calling slice: reflect.Value.Slice: slice index out of bounds)"},
    {R"({{ mustFirst "x" }})",
     R"(template: t:1:3: executing "t" at <mustFirst "x">: error calling mustFirst: Cannot find first on type string)"},
};

constexpr Case kDicts[] = {
    {R"({{ $d := dict "a" 1 "b" (dict "c" 2) }}{{ get $d "a" }} {{ get $d "z" }}| {{ $_ := set $d "z" 9 }}{{ $d }} {{ $_ := unset $d "z" }}{{ $d }} {{ hasKey $d "a" }} {{ pluck "a" $d (dict "a" 5) }} {{ dig "b" "c" "def" $d }} {{ dig "b" "x" "def" $d }} {{ dig "q" "x" "def" $d }} {{ keys (dict "k" 1) }} {{ values (dict "k" 1) }} {{ pick $d "a" }} {{ omit $d "a" }} {{ dict "odd" }} {{ dict 1 2 }} {{ deepCopy $d }})",
     "1 | map[a:1 b:map[c:2] z:9] map[a:1 b:map[c:2]] true [1 5] 2 def def [k] [1] map[a:1] "
     "map[b:map[c:2]] map[odd:] map[1:2] map[a:1 b:map[c:2]]"},
    {R"({{ merge (dict "a" 1 "n" (dict "x" 1) "e" "") (dict "a" 2 "b" 3 "n" (dict "x" 2 "y" 3) "e" "f" "z" "") }})",
     "map[a:1 b:3 e:f n:map[x:1 y:3] z:]"},
    {R"({{ mergeOverwrite (dict "a" 1 "n" (dict "x" 1)) (dict "a" 2 "b" 3 "n" (dict "x" 2 "y" 3) "z" 0) }})",
     "map[a:2 b:3 n:map[x:2 y:3] z:0]"},
    {R"({{ mergeOverwrite (dict "a" 1) (dict "a" 0) }})", "map[a:0]"},
    {R"({{ merge (dict "a" (list 1)) (dict "a" (list 2)) }})", "map[a:[1]]"},
    {R"({{ mergeOverwrite (dict "a" (dict "b" 1)) (dict "a" 5) }})", "map[a:5]"},
    {R"({{ merge (dict "a" 5) (dict "a" (dict "b" 1)) }})", "map[a:5]"},
    {R"({{ hasKey nil "a" }})", "false"},
};

constexpr Case kDictsErrors[] = {
    {R"({{ dig "a" (dict) }})",
     R"(template: t:1:3: executing "t" at <dig "a" (dict)>: error calling dig: dig needs at least three arguments)"},
    {R"({{ get . "user" }})",
     R"(template: t:1:7: executing "t" at <.>: wrong type for value; expected map[string]interface {}; got map[string]string)"},
    {R"({{ get 5 "a" }})",
     R"(template: t:1:7: executing "t" at <5>: can't handle 5 for arg of type map[string]interface {})"},
    {R"({{ hasKey "x" "a" }})",
     R"(template: t:1:10: executing "t" at <"x">: can't handle "x" for arg of type map[string]interface {})"},
    {R"({{ set nil "a" 1 }})",
     R"(template: t:1:3: executing "t" at <set nil "a" 1>: error calling set: assignment to entry in nil map)"},
    {"{{ get }}",
     R"(template: t:1:3: executing "t" at <get>: wrong number of args for get: want 2 got 0)"},
};

constexpr Case kNumbers[] = {
    {"{{ add 1 2 3 }}", "6"},
    {"{{ add }}", "0"},
    {"{{ add1 5 }}", "6"},
    {"{{ sub 5 2 }}", "3"},
    {"{{ mul 2 3 4 }}", "24"},
    {"{{ div 7 2 }}", "3"},
    {"{{ mod 7 3 }}", "1"},
    {"{{ div -7 2 }}", "-3"},
    {"{{ mod -7 2 }}", "-1"},
    {"{{ max 1 5 3 }}", "5"},
    {"{{ min 1 5 0 }}", "0"},
    {"{{ biggest 1 2 }}", "2"},
    {"{{ maxf 1.5 2 }}", "2"},
    {"{{ minf 1.5 2 }}", "1.5"},
    {"{{ ceil 1.2 }}", "2"},
    {"{{ floor -1.2 }}", "-2"},
    {"{{ round 123.5555 3 }}", "123.556"},
    {"{{ round 1.25 1 0.6 }}", "1.2"},
    {"{{ round -1.5 0 }}", "-2"},
    {R"({{ int "42" }})", "42"},
    {R"({{ int64 "0x10" }})", "16"},
    {R"({{ float64 "1.5" }})", "1.5"},
    {"{{ int 3.9 }}", "3"},
    {R"({{ int "3.00" }})", "3"},
    {R"({{ int "abc" }})", "0"},
    {R"({{ atoi "12" }})", "12"},
    {R"({{ atoi "x" }})", "0"},
    {R"({{ toDecimal "777" }})", "511"},
    {"{{ toDecimal 8 }}", "0"},
    {"{{ int true }}", "1"},
    {R"({{ add "1" 2.9 }})", "3"},
    {"{{ until 5 }}", "[0 1 2 3 4]"},
    {"{{ until -3 }}", "[0 -1 -2]"},
    {"{{ untilStep 1 10 3 }}", "[1 4 7]"},
    {"{{ untilStep 10 1 -4 }}", "[10 6 2]"},
    {"{{ untilStep 1 5 -1 }}", "[]"},
    {"{{ seq 5 }}", "1 2 3 4 5"},
    {"{{ seq -3 }}", "1 0 -1 -2 -3"},
    {"{{ seq 2 5 }}", "2 3 4 5"},
    {"{{ seq 0 2 10 }}", "0 2 4 6 8 10"},
    {"{{ seq 5 -2 0 }}", "5 3 1"},
    {"{{ seq 5 2 0 }}", ""},
    {"{{ seq }}", ""},
    {"{{ seq 5 2 }}", "5 4 3 2"},
    {"{{ seq 1 2 3 4 }}", ""},
    {"{{ until 3 | toJson }}", "[0,1,2]"},
    {"{{ toYaml . }}",
     "b64: aGVsbG8=\nempty: \"\"\njson: "
     "'{\"a\":1,\"b\":[1,2.5,\"x\",null,true],\"c\":{\"d\":\"e\",\"n\":null},\"s\":\"<&>é\"}'"
     "\nlist: a,b,c\nmulti: |\n  line1\n  line2\nnum: \"42\"\npassword: s3cr\"et&<x>\nuser: "
     "admin\nutf: héllo wörld ñ"},
    {"{{ add (fromJson .json).a 1 }} {{ if (fromJson .json).c.n }}x{{ else }}null{{ end }}",
     "2 null"},
    {"{{ int64 .num | add 1 }}", "43"},
    {"{{ mul 9223372036854775807 2 }}", "-2"},
    {"{{ gt (int64 5) 3 }}", "true"},
    {"{{ eq (int64 5) 5 }}", "true"},
};

constexpr Case kNumbersErrors[] = {
    {"{{ div 1 0 }}",
     R"(template: t:1:3: executing "t" at <div 1 0>: error calling div: runtime error: integer divide by zero)"},
    {"{{ mod 1 0 }}",
     R"(template: t:1:3: executing "t" at <mod 1 0>: error calling mod: runtime error: integer divide by zero)"},
};

constexpr Case kDecimals[] = {
    {"{{ addf 0.1 0.2 }}", "0.3"},  {"{{ subf 1 0.9 }}", "0.1"},
    {"{{ mulf 1.1 1.1 }}", "1.21"}, {"{{ divf 1 3 }}", "0.3333333333333333"},
    {"{{ divf 10 4 2 }}", "1.25"},  {"{{ add1f 1.5 }}", "2.5"},
    {"{{ addf 1 2 }}", "3"},        {"{{ divf 2 3 }}", "0.6666666666666667"},
};

constexpr Case kTypes[] = {
    {R"({{ default "d" .empty }})", "d"},
    {R"({{ default "d" .user }})", "admin"},
    {R"({{ default "d" nil }})", "d"},
    {R"({{ default "d" }})", "d"},
    {R"({{ .empty | default "x" }})", "x"},
    {"{{ default 5 0 }}", "5"},
    {"{{ empty .empty }}", "true"},
    {"{{ empty 1 }}", "false"},
    {R"({{ coalesce 0 "" "x" }})", "x"},
    {"{{ coalesce 0 }}", "<no value>"},
    {R"({{ all 1 "a" }})", "true"},
    {R"({{ any 0 "" }})", "false"},
    {R"({{ ternary "a" "b" true }})", "a"},
    {R"({{ true | ternary "a" "b" }})", "a"},
    {"{{ typeOf 1 }}", "int"},
    {"{{ typeOf nil }}", "<nil>"},
    {"{{ typeOf (list) }}", "[]interface {}"},
    {"{{ typeOf . }}", "map[string]string"},
    {"{{ typeOf (dict) }}", "map[string]interface {}"},
    {"{{ kindOf 1.5 }}", "float64"},
    {"{{ kindOf nil }}", "invalid"},
    {"{{ kindOf (list) }}", "slice"},
    {R"({{ kindIs "map" . }})", "true"},
    {R"({{ typeIs "string" .user }})", "true"},
    {R"({{ typeIsLike "string" "a" }})", "true"},
    {"{{ deepEqual (list 1 2) (list 1 2) }}", "true"},
    {"{{ deepEqual 1 (int64 1) }}", "false"},
    {R"({{ typeOf (split "," "a") }})", "map[string]string"},
    {"{{ typeOf (until 2) }}", "[]int"},
    {"{{ typeOf (chunk 2 (list 1)) }}", "[][]interface {}"},
    {R"({{ typeOf (index "a" 0) }})", "uint8"},
    {"{{ typeOf (add 1 2) }}", "int64"},
    {"{{ kindOf (index (list nil) 0) }}", "invalid"},
    {"{{ index (list nil) 0 | kindOf }}", "invalid"},
    {R"({{ typeOf (fromJson "1") }})", "float64"},
};

constexpr Case kTypesErrors[] = {
    {R"({{ ternary "a" "b" 1 }})",
     R"(template: t:1:19: executing "t" at <1>: expected bool; found 1)"},
    {"{{ default }}",
     R"(template: t:1:3: executing "t" at <default>: wrong number of args for default: want at least 1 got 0)"},
};

TEST(TemplateCollections, Lists) { ExpectOutputs(kLists); }
TEST(TemplateCollections, ListsErrors) { ExpectErrors(kListsErrors); }
TEST(TemplateCollections, Dicts) { ExpectOutputs(kDicts); }
TEST(TemplateCollections, DictsErrors) { ExpectErrors(kDictsErrors); }
TEST(TemplateCollections, Numbers) { ExpectOutputs(kNumbers); }
TEST(TemplateCollections, NumbersErrors) { ExpectErrors(kNumbersErrors); }
TEST(TemplateCollections, Decimals) { ExpectOutputs(kDecimals); }
TEST(TemplateCollections, Types) { ExpectOutputs(kTypes); }
TEST(TemplateCollections, TypesErrors) { ExpectErrors(kTypesErrors); }

}  // namespace
}  // namespace escagent::gotemplate
