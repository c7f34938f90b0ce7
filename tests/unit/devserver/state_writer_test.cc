#include "esc/devserver/state_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace escagent::devserver {
namespace {

using esc::Value;
using ::testing::HasSubstr;

constexpr const char* kPath = R"(values.a["fn::rotate::x"].state)";

Value Text(std::string_view text, bool secret = false) {
  Value value = Value::String(Secret(text));
  value.set_secret(secret);
  return value;
}

// {current: {id: "1", key: SECRET}, previous: null}
eval::Rotation RotationAt(std::string_view path, std::string_view secret = "s3cret") {
  Value::Object current;
  current.emplace_back("id", Text("1"));
  current.emplace_back("key", Text(secret, /*secret=*/true));
  Value::Object state;
  state.emplace_back("current", Value::MakeObject(std::move(current)));
  state.emplace_back("previous", Value::Null());
  return {.status = eval::Rotation::Status::kSucceeded,
          .path = "values.a",
          .message = "",
          .patch_path = std::string(path),
          .state = Value::MakeObject(std::move(state))};
}

std::string Written(const std::string& definition, std::string_view path = kPath) {
  const Result<Secret> text = WriteState(definition, RotationAt(path), definition);
  return text ? std::string(text->Reveal()) : "error: " + text.error().message;
}

constexpr const char* kBlockState =
    "state:\n"
    "        current:\n"
    "          id: \"1\"\n"
    "          key:\n"
    "            fn::secret: s3cret\n"
    "        previous: null";

TEST(StateWriterTest, AddsAState) {
  EXPECT_EQ(
      Written("values:\n  a:\n    fn::rotate::x:\n      inputs: {n: 1} # n\n  # next\n  b: 1\n"),
      "values:\n  a:\n    fn::rotate::x:\n      inputs: {n: 1} # n\n      " +
          std::string(kBlockState) + "\n  # next\n  b: 1\n");
  EXPECT_EQ(Written("values: {a: {fn::rotate::x: {inputs: {}}}, b: 1}"),
            "values: {a: {fn::rotate::x: {state: {current: {id: \"1\", key: {fn::secret: s3cret}}, "
            "previous: null}, inputs: {}}}, b: 1}");
}

TEST(StateWriterTest, ReplacesAState) {
  const std::string before = "values:\n  a:\n    fn::rotate::x:\n      ";
  const std::string after = "\n      inputs: {} # in\n  b: 1 # b\n";
  for (const char* old :
       {"state:", "state: null", "state: ~ # none yet",
        "state:\n        current: {id: 0, key: k}\n        # kept\n        previous: 7",
        "state:\n        current:\n          - 1"}) {
    EXPECT_THAT(Written(before + old + after), HasSubstr(before + kBlockState)) << old;
    EXPECT_TRUE(Written(before + old + after).ends_with(after)) << old;
  }
  EXPECT_EQ(
      Written(before + "state: {current: {id: 0}, previous: [1]}" + after),
      before + "state: {current: {id: \"1\", key: {fn::secret: s3cret}}, previous: null}" + after);
}

TEST(StateWriterTest, FindsTheCallWhereverItIs) {
  EXPECT_EQ(Written("Values:\n- no\n"), Written("values:\n- no\n"));
  EXPECT_THAT(Written("VALUES:\n  l:\n    - x\n    - Fn::Rotate:\n        provider: p\n"
                      "        inputs: {}\n",
                      R"(values.l[1]["fn::rotate"].state)"),
              HasSubstr("        inputs: {}\n        state:\n          current:\n"));
  EXPECT_THAT(Written("values:\n  \"a.b\": {fn::rotate::x: {inputs: {}}}\n",
                      R"(values["a.b"]["fn::rotate::x"].state)"),
              HasSubstr("{state: {current: "));
}

TEST(StateWriterTest, RefusesACallThatHasChanged) {
  const std::string evaluated = "values:\n  a: {fn::rotate::x: {inputs: {}, state: {n: 1}}}\n";
  for (const char* now :
       {"values:\n  a: {fn::rotate::x: {inputs: {}, state: {n: 2}}}\n",
        "values:\n  a: {fn::rotate::y: {inputs: {}, state: {n: 1}}}\n", "values:\n  b: 1\n", ""}) {
    const Result<Secret> text = WriteState(now, RotationAt(kPath), evaluated);
    ASSERT_FALSE(text) << now;
    EXPECT_EQ(text.error().code, Code::kFailedPrecondition) << text.error().message;
    EXPECT_THAT(text.error().message, HasSubstr("changed there meanwhile"));
  }
  // Somewhere else it may.
  const Result<Secret> text = WriteState(
      "values:\n  c: new\n  a:\n    fn::rotate::x:\n      inputs: "
      "{}\n      state: {n: 1}\n",
      RotationAt(kPath), evaluated);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_THAT(std::string(text->Reveal()), HasSubstr("  c: new\n"));
}

TEST(StateWriterTest, KnowsWhatIsRotated) {
  const std::string text =
      "values: {a: {fn::rotate::x: {inputs: {}}}, b: {Fn::Rotate: {}}, c: {fn::open::x: {}}, d: 1}";
  for (const auto& [path, expected] :
       {std::pair{"a", true}, {"b", true}, {"c", false}, {"d", false}, {"e", false}, {"", false}}) {
    EXPECT_EQ(IsRotated(text, *esc::PropertyPath::Parse(path)), expected) << path;
  }
  EXPECT_FALSE(IsRotated("values: [", *esc::PropertyPath::Parse("a")));
}

}  // namespace
}  // namespace escagent::devserver
