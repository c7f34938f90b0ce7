#include <gtest/gtest.h>

#include "tests/unit/template/template_fixture.h"

// How values print, and printf, with expectations of Go 1.26.
namespace escagent::gotemplate {
namespace {

constexpr Case kValues[] = {
    {R"({{ println 1 "a" }})", "1 a\n"},
    {"{{ (list 1 2 3) }}", "[1 2 3]"},
    {R"({{ (dict "a" (dict "b" 1)) }})", "map[a:map[b:1]]"},
    {"{{ list | len }}", "0"},
    {R"({{ list 1 nil "a" | toJson }})", R"([1,null,"a"])"},
    {R"({{ print 1 2 "a" "b" 3 nil }})", "1 2ab3 <nil>"},
    {"{{ 1000000.0 }}", "1e+06"},
    {"{{ 123456789.0 }}", "1.23456789e+08"},
    {"{{ 1e20 }}", "1e+20"},
    {"{{ 0.000001 }}", "1e-06"},
    {"{{ 1e-7 }}", "1e-07"},
    {"{{ 2.50 }}", "2.5"},
    {"{{ list nil 1.0 true }}", "[<nil> 1 true]"},
    {R"({{ dict "b" (list) "a" nil }})", "map[a:<nil> b:[]]"},
};

constexpr Case kPrintf[] = {
    {R"({{ printf "%s %q %v %d %x %X %t %f %g %e %c %b %o %U %05d|%-10s|%+v %T" "a" "b" .user 5 255 255 true 1.5 1.5 1.5 'x' 5 8 0x1F600 42 "ab" 1 2.0 }})",
     R"(a "b" admin 5 ff FF true 1.500000 1.5 1.500000e+00 x 101 10 U+1F600 00042|ab        |1 float64)"},
    {R"({{ printf "%d" "x" }})", "%!d(string=x)"},
    {R"({{ printf "%s" 1 }})", "%!s(int=1)"},
    {R"({{ printf "%z" 1 }})", "%!z(int=1)"},
    {R"({{ printf "%" }})", "%!(NOVERB)"},
    {R"({{ printf "%d" }})", "%!d(MISSING)"},
    {R"({{ printf "a" 1 nil }})", "a%!(EXTRA int=1, <nil>)"},
    {R"({{ printf "%[2]d %[1]d %[5]d" 1 2 }})", "2 1 %!d(BADINDEX)"},
    {R"({{ printf "%*d|%-*d|%.*f" 5 1 5 2 2 3.14159 }})", "    1|2    |3.14"},
    {R"({{ printf "%6.2f|%+d|% d|%x|% x|%#x|%#q" 3.14159 5 5 "hi" "hi" "hi" "hi" }})",
     "  3.14|+5| 5|6869|68 69|0x6869|`hi`"},
    {R"({{ printf "%v %v %v" (list 1 "a" nil) (dict "a" 1) nil }})", "[1 a <nil>] map[a:1] <nil>"},
    {R"({{ printf "%#v %#v" (list 1 "a" nil) (dict "a" 1.0) }})",
     R"([]interface {}{1, "a", interface {}(nil)} map[string]interface {}{"a":1})"},
    {R"({{ printf "%d %s" (list 1 2) (list "a" 1) }})", "[1 2] [a %!s(int=1)]"},
    {R"({{ printf "%v|%g|%G|%e|%.3g|%.0f|%8.3e" 1e21 1e-7 1e30 12345.678 12345.678 2.5 12345.678 }})",
     "1e+21|1e-07|1E+30|1.234568e+04|1.23e+04|2|1.235e+04"},
    {R"({{ printf "%6d|%-6d|%06d|%x|%X|%#x|%+.2e" 42 42 42 -255 255 255 12345.678 }})",
     "    42|42    |000042|-ff|FF|0xff|+1.23e+04"},
    {R"({{ printf "%5t|%-7t|%q|%+q|%#U|%08.3f|%+08d|%x" true false 65 "é" 9786 3.14159 42 "é" }})",
     R"( true|false  |'A'|"\u00e9"|U+263A '☺'|0003.142|+0000042|c3a9)"},
    {R"({{ printf "%.2s|%5.1s|%q|%v|%s" "héllo" "xy" (list "a") true nil }})",
     R"(hé|    x|["a"]|true|%!s(<nil>))"},
    {R"({{ printf "%!" }})", "%!!(MISSING)"},
    {R"({{ printf "%[x]d" 1 }})", "%!d(BADINDEX)"},
    {R"({{ printf "%3c|%-3c|" 65 66 }})", "  A|B  |"},
    {R"({{ printf "%t" 1 }})", "%!t(int=1)"},
    {R"({{ printf "%.3d|%.d" 5 0 }})", "005|"},
    {R"({{ printf "%b|%o|%O|%#o|%#b" 5 8 8 8 5 }})", "101|10|0o10|010|0b101"},
    {R"({{ printf "%x|%X|%#x|% x|%.2x" "hello" "hi" "hi" "abc" "abcdef" }})",
     "68656c6c6f|6869|0x6869|61 62 63|6162"},
    {R"({{ printf "%T %T %T %T %T" 1 "a" nil (list) (dict) }})",
     "int string <nil> []interface {} map[string]interface {}"},
    {R"({{ printf "%s %d" (list 1 "a") (dict "k" "v") }})",
     "[%!s(int=1) a] map[%!d(string=k):%!d(string=v)]"},
    {R"({{ printf "%#v" (dict "a" (list nil 1 "x" 1.5 true)) }})",
     R"(map[string]interface {}{"a":[]interface {}{interface {}(nil), 1, "x", 1.5, true}})"},
};

constexpr Case kBuiltins[] = {
    {R"({{ index . "user" }})", "admin"},
    {"{{ index (list 1 2) 1 }}", "2"},
    {R"({{ index "abc" 1 }})", "98"},
    {R"({{ index (fromJson .json) "c" "d" }})", "e"},
    {R"({{ index . "nokey" }})", ""},
    {R"({{ index (dict) "x" }})", "<no value>"},
    {"{{ len .user }}", "5"},
    {"{{ len (list 1 2) }}", "2"},
    {"{{ len . }}", "9"},
    {"{{ html .password }}", "s3cr&#34;et&amp;&lt;x&gt;"},
    {"{{ js .password }}", R"(s3cr\"et\u0026\u003Cx\u003E)"},
    {R"({{ urlquery "a b&c/é~" }})", "a+b%26c%2F%C3%A9~"},
    {"{{ slice (list 1 2 3) 1 }}", "[2 3]"},
    {"{{ slice (list 1 2 3) 1 2 }}", "[2]"},
};

constexpr Case kBuiltinsErrors[] = {
    {"{{ index (list 1) 5 }}",
     R"(template: t:1:3: executing "t" at <index (list 1) 5>: error calling index: index out of range: 5)"},
    {R"({{ index (list 1) "a" }})",
     R"(template: t:1:3: executing "t" at <index (list 1) "a">: error calling index: cannot index slice/array with type string)"},
    {"{{ index nil 1 }}",
     R"(template: t:1:3: executing "t" at <index nil 1>: error calling index: index of untyped nil)"},
    {"{{ index 5 1 }}",
     R"(template: t:1:3: executing "t" at <index 5 1>: error calling index: can't index item of type int)"},
    {"{{ index . 1 }}",
     R"(template: t:1:3: executing "t" at <index . 1>: error calling index: value has type int; should be string)"},
    {"{{ len 5 }}",
     R"(template: t:1:3: executing "t" at <len 5>: error calling len: len of type int)"},
    {R"({{ slice "abc" 1 }})",
     R"(template: t:1:3: executing "t" at <slice "abc" 1>: error calling slice: list should be type of slice or array but string)"},
};

TEST(TemplatePrinting, Values) { ExpectOutputs(kValues); }
TEST(TemplatePrinting, Printf) { ExpectOutputs(kPrintf); }
TEST(TemplatePrinting, Builtins) { ExpectOutputs(kBuiltins); }
TEST(TemplatePrinting, BuiltinsErrors) { ExpectErrors(kBuiltinsErrors); }

}  // namespace
}  // namespace escagent::gotemplate
