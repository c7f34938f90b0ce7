#include <gtest/gtest.h>

#include "tests/unit/template/template_fixture.h"

// sprig's functions on texts, with expectations of sprig 3.3.
namespace escagent::gotemplate {
namespace {

constexpr Case kTrim[] = {
    {R"({{ trim "  a \n\t" }})", "a"},       {R"({{ trimAll "xy" "xyaxby" }})", "axb"},
    {R"({{ trimPrefix "a" "aab" }})", "ab"}, {R"({{ trimSuffix "b" "abb" }})", "ab"},
    {R"({{ trimall "$" "$5$" }})", "5"},     {R"({{ trimSuffix "\n" .multi }})", "line1\nline2"},
};

constexpr Case kTrimErrors[] = {
    {"{{ trim 5 }}", R"(template: t:1:8: executing "t" at <5>: expected string; found 5)"},
};

constexpr Case kCase[] = {
    {"{{ upper .utf }}", "HÉLLO WÖRLD Ñ"},
    {R"({{ lower "ÀÉ X" }})", "àé x"},
    {R"({{ title "hello wörld foo-bar it's" }})", "Hello Wörld Foo-Bar It'S"},
    {R"({{ untitle "Hello World" }})", "hello world"},
    {R"({{ repeat 3 "ab" }})", "ababab"},
    {R"({{ initials "First Try" }})", "FT"},
    {R"({{ wrap 5 "aaa bbb cccccccc dd" }})", "aaa\nbbb\ncccccccc\ndd"},
    {R"({{ wrapWith 5 "\t" "Hello World longword" }})", "Hello\tWorld\tlongw\tord"},
    {R"({{ wrap 80 "x" }})", "x"},
    {R"({{ wrapWith 3 "" "abcdefgh" }})", "abc\ndef\ngh"},
    {R"({{ snakecase "FirstName HTTPServer userID v2Beta foo_bar foo-bar" }})",
     "first_name_http_server_user_id_v2_beta_foo_bar_foo_bar"},
    {R"({{ snakecase "HTTP20" }})", "http20"},
    {R"({{ snakecase "1stPlace" }})", "1st_place"},
    {R"({{ snakecase "abc123def" }})", "abc_123def"},
    {R"({{ snakecase "Id0value" }})", "id_0value"},
    {R"({{ snakecase "HELLO_WORLD" }})", "hello_world"},
    {R"({{ snakecase "hello.World" }})", "hello.world"},
    {R"({{ snakecase "A1B2C3" }})", "a1_b2_c3"},
    {R"({{ snakecase "_a__b_" }})", "_a__b_"},
    {R"({{ snakecase "" }})", ""},
    {R"({{ snakecase "aB" }})", "a_b"},
    {R"({{ snakecase "foo$bar+Baz" }})", "foo_$_bar_+_baz"},
    {R"({{ kebabcase "FirstName HTTPServer" }})", "first-name-http-server"},
    {R"({{ camelcase "http_server" }})", "HttpServer"},
    {R"({{ camelcase "HTTP_SERVER foo-bar" }})", "HttpServerFooBar"},
    {R"({{ camelcase "_foo__bar" }})", "_Foo_Bar"},
    {R"({{ camelcase "a" }})", "A"},
    {R"({{ camelcase "fooBar" }})", "FooBar"},
    {R"({{ camelcase "FOOBar" }})", "Foobar"},
    {R"({{ swapcase "This Is A.test" }})", "tHIS iS a.TEST"},
    {R"({{ swapcase "hello wORLD" }})", "HELLO World"},
};

constexpr Case kCaseErrors[] = {
    {R"({{ upper (index (fromJson .json) "c" "n") }})",
     R"(template: t:1:37: executing "t" at <"n">: invalid value; expected string)"},
    {"{{ upper (fromJson .json).a }}",
     R"(template: t:1:19: executing "t" at <.json>: wrong type for value; expected string; got float64)"},
};

constexpr Case kParts[] = {
    {R"({{ substr 0 3 "abcdef" }})", "abc"},
    {R"({{ substr 2 -1 "abcdef" }})", "cdef"},
    {R"({{ substr -1 3 "abcdef" }})", "abc"},
    {R"({{ substr 2 100 "abcdef" }})", "cdef"},
    {R"({{ nospace " a b c " }})", "abc"},
    {R"({{ trunc 3 "abcdef" }})", "abc"},
    {R"({{ trunc -3 "abcdef" }})", "def"},
    {R"({{ trunc 10 "ab" }})", "ab"},
    {R"({{ trunc -10 "ab" }})", "ab"},
    {R"({{ abbrev 5 "hello world" }})", "he..."},
    {R"({{ abbrev 3 "hello" }})", "hello"},
    {R"({{ abbrev 20 "hello" }})", "hello"},
    {R"({{ abbrevboth 5 10 "1234 5678 9123" }})", "...5678..."},
    {R"({{ abbrevboth 5 7 "1234567890123" }})", "...6..."},
    {R"({{ abbrevboth 0 8 "12345678901" }})", "12345..."},
    {R"({{ abbrevboth 6 9 "0123456789012345678901" }})", "...678..."},
    {R"({{ contains "b" "abc" }})", "true"},
    {R"({{ hasPrefix "a" "abc" }})", "true"},
    {R"({{ hasSuffix "c" "abc" }})", "true"},
};

constexpr Case kPartsErrors[] = {
    {R"({{ repeat -1 "x" }})",
     R"(template: t:1:3: executing "t" at <repeat -1 "x">: error calling repeat: strings: negative Repeat count)"},
};

constexpr Case kQuotes[] = {
    {R"({{ quote "a" 1 nil "b\"" }})", R"("a" "1" "b\"")"},
    {R"({{ squote "a" 1 nil }})", "'a' '1'"},
    {"{{ quote }}", ""},
    {R"({{ cat "a" 1 nil "b" }})", "a 1 b"},
    {"{{ quote (list 1 2) }}", R"("[1 2]")"},
    {"{{ quote .password .utf \"\\x00\\u200b\xf0\x9f\x98\x80\" }}",
     "\"s3cr\\\"et&<x>\" \"h\xc3\xa9llo w\xc3\xb6rld \xc3\xb1\" \"\\x00\\u200b\xf0\x9f\x98\x80\""},
    {"{{ indent 4 .multi }}", "    line1\n    line2\n    "},
    {"{{ nindent 2 .multi }}", "\n  line1\n  line2\n  "},
    {R"({{ replace "l" "L" "hello" }})", "heLLo"},
    {R"({{ replace "" "-" "ab" }})", "-a-b-"},
    {R"({{ plural "one" "many" 1 }})", "one"},
    {R"({{ plural "one" "many" 2 }})", "many"},
    {"{{ quote (fromJson .json).c.n }}", ""},
    {"{{ (fromJson .json).c.n | quote }}", ""},
    {"{{ toJson (fromJson .json).c.n }}", "null"},
    {"{{ print (fromJson .json).c.n }}", "<nil>"},
    {R"({{ printf "%v" (fromJson .json).c.n }})", "<nil>"},
};

constexpr Case kListCases[] = {
    {R"({{ splitList "," .list }})", "[a b c]"},
    {R"({{ split "," .list }})", "map[_0:a _1:b _2:c]"},
    {R"({{ (split "," .list)._1 }})", "b"},
    {R"({{ splitn "," 2 .list }})", "map[_0:a _1:b,c]"},
    {R"({{ splitList "" "abc" | toJson }})", R"(["a","b","c"])"},
    {R"({{ splitList "," "" | toJson }})", R"([""])"},
    {R"({{ join "-" (splitList "," .list) }})", "a-b-c"},
    {R"({{ join "-" (list 1 "a" nil 2.5) }})", "1-a-2.5"},
    {R"({{ join "," "x" }})", "x"},
    {R"({{ sortAlpha (list "b" "a" 3) }})", "[3 a b]"},
    {R"({{ sortAlpha "x" }})", "[x]"},
    {"{{ toStrings (list 1 2) }}", "[1 2]"},
    {"{{ toString 5 }}", "5"},
    {"{{ toString nil }}", "<nil>"},
    {"{{ toString (list 1) }}", "[1]"},
};

constexpr Case kRegex[] = {
    {R"({{ regexMatch "^[a-z]+$" "abc" }})", "true"},
    {R"({{ regexFind "[0-9]+" "ab12cd34" }})", "12"},
    {R"({{ regexFindAll "[0-9]" "1a2b3" 2 }})", "[1 2]"},
    {R"({{ regexFindAll "a*" "baac" -1 | toJson }})", R"(["","aa",""])"},
    {R"({{ regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }})", "-W-xxW-"},
    {R"({{ regexReplaceAll "a(x*)b" "-ab-axxb-" "$1W" }})", "---"},
    {R"({{ regexReplaceAllLiteral "a(x*)b" "-ab-axxb-" "${1}" }})", "-${1}-${1}-"},
    {R"({{ regexSplit "z+" "pizza" -1 }})", "[pi a]"},
    {R"({{ regexSplit "a" "banana" 2 | toJson }})", R"(["b","nana"])"},
    {R"({{ regexSplit "" "abc" -1 | toJson }})", R"(["a","b","c"])"},
    {R"({{ regexSplit "a" "" -1 | toJson }})", R"([""])"},
    {R"({{ regexSplit "x*" "axbxc" 2 | toJson }})", R"(["a","bxc"])"},
    {R"({{ regexQuoteMeta "1.2*3" }})", R"(1\.2\*3)"},
    {R"({{ regexReplaceAll "" "abc" "-" }})", "-a-b-c-"},
    {"{{ regexReplaceAll \"(?P<n>b)\" \"abc\" \"[${n}|$n|$$|$x|$]\" }}", "a[b|b|$||$]c"},
    {R"({{ mustRegexMatch "a" "ba" }})", "true"},
    {R"({{ regexMatch "(" "a" }})", "false"},
};

TEST(TemplateStrings, Trim) { ExpectOutputs(kTrim); }
TEST(TemplateStrings, TrimErrors) { ExpectErrors(kTrimErrors); }
TEST(TemplateStrings, Case) { ExpectOutputs(kCase); }
TEST(TemplateStrings, CaseErrors) { ExpectErrors(kCaseErrors); }
TEST(TemplateStrings, Parts) { ExpectOutputs(kParts); }
TEST(TemplateStrings, PartsErrors) { ExpectErrors(kPartsErrors); }
TEST(TemplateStrings, Quotes) { ExpectOutputs(kQuotes); }
TEST(TemplateStrings, Lists) { ExpectOutputs(kListCases); }
TEST(TemplateStrings, Regex) { ExpectOutputs(kRegex); }

}  // namespace
}  // namespace escagent::gotemplate
