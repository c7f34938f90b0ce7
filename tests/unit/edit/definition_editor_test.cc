#include "esc/edit/definition_editor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "esc/eval/evaluator.h"
#include "tests/unit/edit/edit_fixture.h"

namespace escagent::edit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct SetCase {
  const char* name;
  const char* before;
  const char* path;
  const char* after;
};

class SetTest : public testing::TestWithParam<SetCase> {};

TEST_P(SetTest, WritesOnlyWhatIsAddressed) {
  EXPECT_EQ(TextAfter(GetParam().before, SetEdit(GetParam().path, "new")), GetParam().after);
}

std::string NameOf(const testing::TestParamInfo<SetCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Replaces, SetTest,
    testing::Values(
        SetCase{"Scalar", "values:\n  a: old # why\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # why\n  b: 1\n"},
        SetCase{"QuotedScalar", "values:\n  a: \"o # ld\\\"\" # why\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # why\n"},
        SetCase{"SingleQuoted", "values:\n  a: 'it''s: #x' # why\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # why\n"},
        SetCase{"FoldedPlain", "values:\n  a: one\n    two\n\n    three # why\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # why\n  b: 1\n"},
        SetCase{"BlockScalar", "values:\n  a: |\n    x\n    # y\n\n  # about b\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n\n  # about b\n  b: 1\n"},
        SetCase{"KeptBlockScalar", "values:\n  a: |+\n    x\n\n\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n  b: 1\n"},
        SetCase{"BlockScalarWithIndicator", "values:\n  a: >2-\n      x\n    y\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n  b: 1\n"},
        SetCase{"EmptyBlockScalar", "values:\n  a: |\n  # about b\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n  # about b\n  b: 1\n"},
        SetCase{"Secret", "values:\n  a:\n    fn::secret: old\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n  b: 1\n"},
        SetCase{"Ciphertext", "values:\n  a:\n    # c\n    fn::secret:\n      ciphertext: eA==\n",
                "a", "values:\n  a:\n    # c\n    fn::secret: \"new\"\n"},
        SetCase{"FlowSecret", "values:\n  a: {fn::secret: old} # why\n", "a",
                "values:\n  a: {fn::secret: \"new\"} # why\n"},
        SetCase{"Call", "values:\n  a:\n    fn::open::x:\n      y: [1, 2]\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n  b: 1\n"},
        SetCase{"Map", "values:\n    a: # it\n        x: 1\n        y: {z: 2}\n    b: 1\n", "a",
                "values:\n    a: # it\n        fn::secret: \"new\"\n    b: 1\n"},
        SetCase{"ListAtTheColumnOfItsKey", "values:\n  a:\n  - x\n  - y\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n  b: 1\n"},
        SetCase{"Nothing", "values:\n  a: # why\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # why\n  b: 1\n"},
        SetCase{"NothingBeforeANullKey", "values:\n  a:\n  nullable: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n  nullable: 1\n"},
        SetCase{"WrittenNull", "values: {a: ~, b: null}\n", "b",
                "values: {a: ~, b: {fn::secret: \"new\"}}\n"},
        SetCase{"Tagged", "values:\n  a: !!str 5 # why\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # why\n  b: 1\n"},
        SetCase{"TaggedMap", "values:\n  a: !!map\n    x: 1\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n  b: 1\n"},
        SetCase{"Anchor", "values:\n  a: &x old # why\n  b: &y !!map\n    c: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # why\n  b: &y !!map\n    c: 1\n"},
        SetCase{"BehindAnAnchor", "values: &v\n  b: &y !!map # why\n    c: 1\n", "b.c",
                "values: &v\n  b: &y !!map # why\n    c:\n      fn::secret: \"new\"\n"},
        SetCase{"OnlyAnAnchor", "values:\n  a: &x # why\n  b: 1\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # why\n  b: 1\n"},
        SetCase{"BehindTheTagOfAKey", "values: &v\n  !!str x: 1\n", "a",
                "values: &v\n  !!str x: 1\n  a:\n    fn::secret: \"new\"\n"},
        SetCase{"BelowAnAnchorOfAList", "values: {l: &l\n  [&m {a: old}]}\n", "l[0].a",
                "values: {l: &l\n  [&m {a: {fn::secret: \"new\"}}]}\n"},
        SetCase{"BehindAColonThatIsAKeys", "values:\n  ? x\n  :y: 1\n  a: old\n", "a",
                "values:\n  ? x\n  :y: 1\n  a:\n    fn::secret: \"new\"\n"},
        SetCase{"FirstDocument", "values: {a: old}\n---\nvalues: {a: other}\n", "a",
                "values: {a: {fn::secret: \"new\"}}\n---\nvalues: {a: other}\n"},
        SetCase{"OldLineEnds", "values:\r  a: old # why\r  b: 1\r", "a",
                "values:\r  a:\n    fn::secret: \"new\" # why\r  b: 1\r"},
        SetCase{"LineBreaksOfUnicode",
                "values:\xE2\x80\xA8  a: old # why\xC2\x85  b: 1\xE2\x80\xA9", "a",
                "values:\xE2\x80\xA8  a:\n    fn::secret: \"new\" # why\xC2\x85  b: 1\xE2\x80\xA9"},
        SetCase{"ExplicitKey", "values:\n  ? a\n  : old\n  b: 1\n", "a",
                "values:\n  ? a\n  :\n    fn::secret: \"new\"\n  b: 1\n"},
        SetCase{"QuotedKey", "values:\n  \"a.b\" : old\n", "[\"a.b\"]",
                "values:\n  \"a.b\" :\n    fn::secret: \"new\"\n"},
        SetCase{"TabBeforeTheValue", "values:\n  a:\told\n", "a",
                "values:\n  a:\n    fn::secret: \"new\"\n"},
        SetCase{"InOneLine", "values: {\"a\":1, b: 2}\n", "a",
                "values: {\"a\":{fn::secret: \"new\"}, b: 2}\n"},
        SetCase{"RootInBraces", "{imports: [x/y], values: {a: {b: old}}}", "a.b",
                "{imports: [x/y], values: {a: {b: {fn::secret: \"new\"}}}}"},
        SetCase{"AcrossLines", "values: {\n\ta: old, # one\n\tb: 2 # two\n}\n", "a",
                "values: {\n\ta: {fn::secret: \"new\"}, # one\n\tb: 2 # two\n}\n"},
        SetCase{"LastLineWithoutBreak", "values:\n  a: old", "a",
                "values:\n  a:\n    fn::secret: \"new\""},
        SetCase{"Unicode", "# größe ✓\nvalues:\n  größe: alt # ✓\n  b: ✓\n", "größe",
                "# größe ✓\nvalues:\n  größe:\n    fn::secret: \"new\" # ✓\n  b: ✓\n"},
        SetCase{"CarriageReturns", "values:\r\n  a: old # why\r\n  b: 1\r\n", "a",
                "values:\r\n  a:\r\n    fn::secret: \"new\" # why\r\n  b: 1\r\n"},
        SetCase{"AnyCaseOfValues", "Values:\n  a: old\n", "a",
                "Values:\n  a:\n    fn::secret: \"new\"\n"},
        SetCase{"ElementOfAList", "values:\n  a:\n    - x # one\n    - y # two\n", "a[1]",
                "values:\n  a:\n    - x # one\n    - fn::secret: \"new\" # two\n"},
        SetCase{"EmptyElement", "values:\n  a:\n    -\n    - y\n", "a[0]",
                "values:\n  a:\n    - fn::secret: \"new\"\n    - y\n"},
        SetCase{"MemberOfAnElement", "values:\n  a:\n    - k: 1\n      l: 2\n", "a[0].l",
                "values:\n  a:\n    - k: 1\n      l:\n        fn::secret: \"new\"\n"},
        SetCase{"ElementInBrackets", "values:\n  a: [x, y] # why\n", "a[0]",
                "values:\n  a: [{fn::secret: \"new\"}, y] # why\n"},
        SetCase{"Deep", "values:\n a:\n  b:\n   c:\n    - d:\n       e: old\n", "a.b.c[0].d.e",
                "values:\n a:\n  b:\n   c:\n    - d:\n       e:\n        fn::secret: \"new\"\n"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Adds, SetTest,
    testing::Values(
        SetCase{"ToNothing", "", "a", "values:\n  a:\n    fn::secret: \"new\"\n"},
        SetCase{"ToAComment", "# mine", "a.b",
                "# mine\nvalues:\n  a:\n    b:\n      fn::secret: \"new\"\n"},
        SetCase{"ToAnEmptyDocument", "---\n", "a", "---\nvalues:\n  a:\n    fn::secret: \"new\"\n"},
        SetCase{"ToANull", "~ # none\n", "a", "values:\n  a:\n    fn::secret: \"new\" # none\n"},
        SetCase{"Values", "imports:\n  - x/y\n", "a",
                "imports:\n  - x/y\nvalues:\n  a:\n    fn::secret: \"new\"\n"},
        SetCase{"ValuesAfterAListAtColumnZero", "imports:\n- x/y # base\n# end\n", "a",
                "imports:\n- x/y # base\nvalues:\n  a:\n    fn::secret: \"new\"\n# end\n"},
        SetCase{"ToEmptyValues", "values: # none yet\n# end\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # none yet\n# end\n"},
        SetCase{"ToNullValues", "values: null # none yet\n", "a",
                "values:\n  a:\n    fn::secret: \"new\" # none yet\n"},
        SetCase{"ToEmptyBraces", "values: {}\n", "a.b",
                "values: {a: {b: {fn::secret: \"new\"}}}\n"},
        SetCase{"ToBraces", "values: {x: 1}\n", "a", "values: {x: 1, a: {fn::secret: \"new\"}}\n"},
        SetCase{"ToBracesWithATrailingComma", "values: {\n  x: 1, # one\n}\n", "a",
                "values: {\n  x: 1, a: {fn::secret: \"new\"} # one\n}\n"},
        SetCase{"AfterTheLastComment", "values:\n  x: 1 # one\nimports: []\n", "a",
                "values:\n  x: 1 # one\n  a:\n    fn::secret: \"new\"\nimports: []\n"},
        SetCase{"AsDeepAsTheOthers", "values:\n    app:\n        x: 1\n", "app.a.b",
                "values:\n    app:\n        x: 1\n        a:\n            b:\n"
                "                fn::secret: \"new\"\n"},
        SetCase{"AfterABlockScalar", "values:\n  x: |\n    text\n\nimports: []\n", "a",
                "values:\n  x: |\n    text\n  a:\n    fn::secret: \"new\"\n\nimports: []\n"},
        SetCase{"AfterAKeptBlockScalar", "values:\n  x: |+\n    text\n\nimports: []\n", "a",
                "values:\n  x: |+\n    text\n\n  a:\n    fn::secret: \"new\"\nimports: []\n"},
        SetCase{"BelowAnEmptyKey", "values:\n  app:\n  x: 1\n", "app.a",
                "values:\n  app:\n    a:\n      fn::secret: \"new\"\n  x: 1\n"},
        SetCase{"ToAMapInAList", "values:\n  l:\n    - k: 1 # one\n    - m: 2\n", "l[0].a",
                "values:\n  l:\n    - k: 1 # one\n      a:\n        fn::secret: \"new\"\n"
                "    - m: 2\n"},
        SetCase{"QuotedKeys", "values:\n  x: 1\n", "[\"a.b\"][\"on\"][\"5\"][\"x: y\"]",
                "values:\n  x: 1\n  \"a.b\":\n    \"on\":\n      \"5\":\n        \"x: y\":\n"
                "          fn::secret: \"new\"\n"},
        SetCase{"WithCarriageReturns", "values:\r\n  x: 1\r\n", "a",
                "values:\r\n  x: 1\r\n  a:\r\n    fn::secret: \"new\"\r\n"},
        SetCase{"ToATextWithAByteOrderMark", "\xEF\xBB\xBFvalues:\n  x: 1\n", "a",
                "\xEF\xBB\xBFvalues:\n  x: 1\n  a:\n    fn::secret: \"new\"\n"},
        SetCase{"ValuesToATextWithAByteOrderMark", "\xEF\xBB\xBFimports: []\n", "a",
                "\xEF\xBB\xBFimports: []\nvalues:\n  a:\n    fn::secret: \"new\"\n"},
        // It counts as a column there.
        SetCase{"ToALineWithAByteOrderMark", "# mine\n\xEF\xBB\xBFvalues:\n  x: 1\n", "a",
                "# mine\n\xEF\xBB\xBFvalues:\n  x: 1\n  a:\n   fn::secret: \"new\"\n"},
        SetCase{"ToAnEmptyDocumentBeforeAnother", "---\n---\nvalues: {}\n", "a",
                "---\nvalues:\n  a:\n    fn::secret: \"new\"\n---\nvalues: {}\n"},
        SetCase{"BeforeTheEndOfTheDocument", "values:\n  x: 1\n...\n", "a",
                "values:\n  x: 1\n  a:\n    fn::secret: \"new\"\n...\n"}),
    NameOf);

struct RefusedCase {
  const char* name;
  const char* before;
  const char* path;
  const char* why;
};

class RefusedTest : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedTest, SaysWhy) {
  EXPECT_THAT(TextAfter(GetParam().before, SetEdit(GetParam().path, "hunter2")),
              AllOf(HasSubstr("error: "), HasSubstr(GetParam().why), Not(HasSubstr("hunter2")),
                    Not(HasSubstr("canary"))));
}

INSTANTIATE_TEST_SUITE_P(
    Refuses, RefusedTest,
    testing::Values(RefusedCase{"Scalar", "values: {a: canary}", "a.b", "a is a scalar"},
                    RefusedCase{"ScalarRoot", "canary", "a", "the definition is a scalar"},
                    RefusedCase{"ListOfValues", "values: [canary]", "a", "\"values\" is a list"},
                    RefusedCase{"Function", "values:\n  a: {fn::fromJSON: canary}", "a.b",
                                "a is the result of fn::fromJSON"},
                    RefusedCase{"Secret", "values: {a: {fn::secret: canary}}", "a.b",
                                "a is the result of fn::secret"},
                    RefusedCase{"NoSuchElement", "values: {a: [canary]}", "a[1]",
                                "a is a list of 1"},
                    RefusedCase{"ElementOfAMap", "values: {a: {b: canary}}", "a[0]", "a is a map"},
                    RefusedCase{"ElementOfNothing", "values: {}", "a[0]", "there is no list yet"},
                    RefusedCase{"Alias", "values: {a: &x canary, b: *x}", "c", "aliases"},
                    RefusedCase{"TwiceTheKey", "values: {a: 1, a: canary}", "a", "occurs twice"},
                    RefusedCase{"TwiceValues", "values: {}\nValues: {}", "a", "occurs twice"},
                    RefusedCase{"NoYaml", "values: {a: [canary", "a", "invalid YAML"},
                    RefusedCase{"NoUtf8", "values: {a: \xff}", "a", "not valid UTF-8"},
                    RefusedCase{"ControlCharacter", "values: {a: \x01}", "a", "control characters"},
                    RefusedCase{"CallKey", "values: {}", "a[\"Fn::x\"]", "function calls"},
                    RefusedCase{"ReferenceInAKey", "values: {}", "a[\"${b}\"]", "\"$\""},
                    RefusedCase{"ReservedKey", "values: {}", "context.x", "reserved"},
                    RefusedCase{"EmptyPath", "values: {}", "", "the path is empty"},
                    RefusedCase{"NoValueAndNoColon", "values: {a, b: 1}", "a", "has no room"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(DefinitionEditorTest, RefusesAValueThatIsNoText) {
  EXPECT_THAT(TextAfter("", SetEdit("a", "\xff\xfe")), HasSubstr("push it in base64"));
}

TEST(DefinitionEditorTest, TooDeepAndTooLong) {
  const std::string deep = "values: " + std::string(300, '[') + std::string(300, ']');
  EXPECT_THAT(TextAfter(deep, SetEdit("a", "v")), HasSubstr("nested more than"));
  EXPECT_THAT(TextAfter("# " + std::string(5 << 20, 'x'), SetEdit("a", "v")),
              HasSubstr("longer than 4 MiB"));
}

// What is written is what ESC's language reads, for every value and every kind of place.
TEST(DefinitionEditorTest, ValuesArriveAsTheyAre) {
  const std::vector<std::string> values = {"",
                                           " ",
                                           "plain",
                                           "5",
                                           "true",
                                           "null",
                                           "~",
                                           "a: b",
                                           "# no comment",
                                           "it's",
                                           "\"quoted\"",
                                           "back\\slash",
                                           "line\nbreak\n",
                                           "\r\n",
                                           "tab\t",
                                           "$",
                                           "$$",
                                           "- x",
                                           "{a: 1}",
                                           "größe ✓ 🔑",
                                           std::string("\0nul", 4),
                                           "\x01\x7f\xc2\x85\xe2\x80\xa8\xef\xbb\xbf",
                                           "%directive",
                                           "---",
                                           "...",
                                           "-----BEGIN KEY-----\nMII=\n-----END KEY-----\n",
                                           std::string(100000, 'x')};
  for (const char* before :
       {"", "values:\n  a: old\n", "values: {a: old}", "values:\n  l: [a: 1]\n  a: |\n    x\n"}) {
    for (const std::string& value : values) {
      const std::string after = TextAfter(before, SetEdit("a", value));
      const eval::EvalResult result = eval::Evaluate(after, {});
      // The dev server encrypts before it evaluates, as ESC does; the evaluator alone reads "$$".
      if (value.contains("$")) continue;
      ASSERT_TRUE(result.ok()) << after;
      const esc::Value* a = result.properties.Find("a");
      ASSERT_NE(a, nullptr) << after;
      EXPECT_TRUE(a->secret());
      EXPECT_EQ(a->ScalarText(), value) << after;
    }
  }
}

TEST(DefinitionEditorTest, EditsFollowEachOther) {
  std::vector<Edit> edits;
  edits.push_back(SetEdit("app.user", "u"));
  edits.push_back(SetEdit("app.password", "p"));
  edits.push_back(RemoveEdit("old"));
  edits.push_back(SetEdit("app.user", "v"));
  const auto edited = ApplyEdits(Secret(std::string_view("values:\n  old: 1\n  keep: 2\n")), edits);
  ASSERT_TRUE(edited) << edited.error().message;
  EXPECT_EQ(edited->changes, 4u);
  EXPECT_EQ(edited->yaml.Reveal(),
            "values:\n  keep: 2\n  app:\n    user:\n      fn::secret: \"v\"\n"
            "    password:\n      fn::secret: \"p\"\n");
}

TEST(DefinitionEditorTest, EqualIsUnchanged) {
  const Secret yaml(std::string_view(
      "values:\n  plain: same\n  open: {fn::secret: same}\n  call: {fn::fromJSON: '\"same\"'}\n"
      "  sealed:\n    fn::secret:\n      ciphertext: eA==\n"));
  const Secret decrypted(std::string_view(
      "values:\n  plain: same\n  open: {fn::secret: same}\n  call: {fn::fromJSON: '\"same\"'}\n"
      "  sealed:\n    fn::secret: same\n"));
  const auto changes = [&](std::string_view path, std::string_view value, const Secret* plain) {
    std::vector<Edit> edits;
    edits.push_back(SetEdit(path, value));
    const auto edited = ApplyEdits(yaml, edits, plain);
    return edited ? static_cast<int>(edited->changes) : -1;
  };
  EXPECT_EQ(changes("open", "same", nullptr), 0);
  EXPECT_EQ(changes("open", "other", nullptr), 1);
  EXPECT_EQ(changes("sealed", "same", &decrypted), 0);
  EXPECT_EQ(changes("sealed", "other", &decrypted), 1);
  EXPECT_EQ(changes("sealed", "same", nullptr), 1);
  // Equal, but not a secret of this definition.
  EXPECT_EQ(changes("plain", "same", &decrypted), 1);
  EXPECT_EQ(changes("call", "same", &decrypted), 1);
  EXPECT_EQ(changes("imported", "same", &decrypted), 1);
}

TEST(DefinitionEditorTest, TellsWhatIsThere) {
  const Secret yaml(std::string_view(
      "values: {open: {fn::secret: x}, sealed: {fn::secret: {ciphertext: eA==}}, none: }"));
  const auto needs = [&](std::string_view path) {
    std::vector<Edit> edits;
    edits.push_back(SetEdit(path, "x"));
    return *NeedsDecrypted(yaml, edits);
  };
  EXPECT_TRUE(needs("sealed"));
  EXPECT_FALSE(needs("open"));
  EXPECT_FALSE(needs("absent"));
  EXPECT_TRUE(*Defines(yaml, PathOf("open")));
  EXPECT_TRUE(*Defines(yaml, PathOf("none")));
  EXPECT_FALSE(*Defines(yaml, PathOf("absent")));
  EXPECT_FALSE(*Defines(yaml, PathOf("none.x")));
}

}  // namespace
}  // namespace escagent::edit
