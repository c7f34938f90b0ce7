#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace escagent {
namespace {

using nlohmann::json;
using std::string_view_literals::operator""sv;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string Nested(std::size_t depth, std::string_view open, std::string_view close) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += open;
  for (std::size_t i = 0; i < depth; ++i) text += close;
  return text;
}

// Writes down what it is told.
class Recorder final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return Add("null"); }
  bool boolean(bool value) override { return Add(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return Add("i" + std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    return Add("u" + std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override { return Add("f" + text); }
  bool string(string_t& value) override { return Add("s" + value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Add("{"); }
  bool key(string_t& value) override { return Add("k" + value); }
  bool end_object() override { return Add("}"); }
  bool start_array(std::size_t) override { return Add("["); }
  bool end_array() override { return Add("]"); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

  std::vector<std::string> events;

 private:
  bool Add(std::string event) {
    events.push_back(std::move(event));
    return event_limit == 0 || events.size() < event_limit;
  }

 public:
  std::size_t event_limit = 0;
};

TEST(ParseJsonTest, ReadsADocument) {
  const Result<json> document =
      ParseJson(R"( {"a": [1, true, null, "x\u00e9"], "b": {}} )", "the answer");
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ((*document)["a"][3], "x\xC3\xA9");
  EXPECT_TRUE((*document)["b"].is_object());
}

TEST(ParseJsonTest, LastOfEqualKeysStays) {
  const Result<json> document = ParseJson(R"({"a": 1, "a": 2})", "x");
  ASSERT_TRUE(document);
  EXPECT_EQ((*document)["a"], 2);
}

TEST(ParseJsonTest, RefusesWhatIsNotJsonWithoutQuotingIt) {
  for (const std::string_view text : {
           ""sv,
           " "sv,
           "canary"sv,
           "{\"canary\": canary}"sv,
           "{\"canary\""sv,
           "[\"canary"sv,
           "[1,]"sv,
           "{\"a\":1,}"sv,
           "[1] canary"sv,
           "'canary'"sv,
           "[01]"sv,
           "[+1]"sv,
           "[.5]"sv,
           "[NaN]"sv,
           "[1e]"sv,
           "[\"can\nary\"]"sv,
           "[\"\\x\"]"sv,
           "[\"\\ud800\"]"sv,
           "// canary\n1"sv,
           "]"sv,
           "\0"sv,
       }) {
    const Result<json> document = ParseJson(text, "the answer of https://esc.test/x");
    ASSERT_FALSE(document) << text;
    EXPECT_EQ(document.error().code, Code::kInvalidArgument);
    EXPECT_THAT(document.error().message, HasSubstr("the answer of https://esc.test/x"));
    EXPECT_THAT(document.error().message, Not(HasSubstr("canary")));
    EXPECT_THAT(document.error().message, Not(HasSubstr("can")));
    Recorder recorder;
    const Status sax = ParseJsonSax(text, "the answer", recorder);
    ASSERT_FALSE(sax) << text;
    EXPECT_EQ(sax.error().code, Code::kInvalidArgument);
    EXPECT_THAT(sax.error().message, Not(HasSubstr("canary")));
  }
}

TEST(ParseJsonTest, DepthOf200IsTheLimit) {
  for (const auto& [open, close] :
       {std::pair{"["sv, "]"sv}, std::pair{"{\"a\":"sv, "}"sv}, std::pair{"[{\"a\":"sv, "}]"sv}}) {
    const std::size_t levels = open.size() > 5 ? 2 : 1;
    std::string inner = Nested(kMaxJsonDepth / levels, open, close);
    // An object needs a value at its innermost place.
    const auto innermost = [](std::string text) {
      if (const auto at = text.find(":}"); at != std::string::npos) text.insert(at + 1, "0");
      return text;
    };
    Recorder recorder;
    const Result<json> ok = ParseJson(innermost(inner), "x");
    EXPECT_TRUE(ok) << ok.error().message;
    EXPECT_TRUE(ParseJsonSax(innermost(inner), "x", recorder));

    inner = "[" + innermost(inner) + "]";
    const Result<json> deep = ParseJson(inner, "x");
    ASSERT_FALSE(deep);
    EXPECT_EQ(deep.error().code, Code::kInvalidArgument);
    EXPECT_THAT(deep.error().message, HasSubstr("200"));
    EXPECT_FALSE(ParseJsonSax(inner, "x", recorder));
  }
}

TEST(ParseJsonTest, AMillionBracketsAreHarmless) {
  EXPECT_FALSE(ParseJson(std::string(1000000, '['), "x"));
  EXPECT_FALSE(ParseJson(Nested(1000000, "{\"a\":", "}"), "x"));
}

TEST(ParseJsonTest, BracketsInStringsAreNotNesting) {
  const std::string text = "[\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"]";
  EXPECT_TRUE(ParseJson(text, "x"));
}

TEST(ParseJsonTest, RefusesInvalidUtf8) {
  const Result<json> document = ParseJson("[\"\xC3\x28\"]", "x");
  ASSERT_FALSE(document);
  EXPECT_THAT(document.error().message, HasSubstr("UTF-8"));
}

TEST(ParseJsonTest, NumbersOutOfRangeAreAnErrorNotAnException) {
  EXPECT_FALSE(ParseJson("[1e999]", "x"));
  Recorder recorder;
  EXPECT_FALSE(ParseJsonSax("[1e999]", "x", recorder));
}

TEST(ParseJsonSaxTest, NumbersKeepTheirText) {
  Recorder recorder;
  ASSERT_TRUE(
      ParseJsonSax("[1.10, 123456789012345678901234567890, 1E+2, -5, 7, 0.0]", "x", recorder));
  EXPECT_THAT(recorder.events, ElementsAre("[", "f1.10", "f123456789012345678901234567890", "f1E+2",
                                           "i-5", "u7", "f0.0", "]"));
}

TEST(ParseJsonSaxTest, SeesEveryKeyInOrder) {
  Recorder recorder;
  ASSERT_TRUE(ParseJsonSax(R"({"b": {"a": null}, "a": [true, "x"], "b": 0})", "x", recorder));
  EXPECT_THAT(recorder.events, ElementsAre("{", "kb", "{", "ka", "null", "}", "ka", "[", "true",
                                           "sx", "]", "kb", "u0", "}"));
}

TEST(ParseJsonSaxTest, HandlerCanStop) {
  Recorder recorder;
  recorder.event_limit = 2;
  EXPECT_FALSE(ParseJsonSax("[1, 2, 3]", "x", recorder));
  EXPECT_EQ(recorder.events.size(), 2U);
}

TEST(ScrubTest, OverwritesEveryString) {
  json document =
      json::parse(R"({"a": ["canary-one", {"b": "canary-two"}], "c": "canary", "d": 1})");
  const char* first = document["a"][0].get_ref<std::string&>().data();
  const std::size_t length = std::string("canary-one").size();
  Scrub(document);
  EXPECT_EQ(DumpJson(document).find("canary"), std::string::npos);
  EXPECT_EQ(document["a"][0], "");
  for (std::size_t i = 0; i < length; ++i) EXPECT_EQ(first[i], '\0');
}

TEST(QuoteJsonTest, EscapesAsGoDoes) {
  EXPECT_EQ(QuoteJson("a\"b\\c/\n\r\t", true), R"("a\"b\\c/\n\r\t")");
  EXPECT_EQ(QuoteJson("\x01\x1F\x7F", true), "\"\\u0001\\u001f\x7F\"");
  EXPECT_EQ(QuoteJson("<a&b>", true), R"("\u003ca\u0026b\u003e")");
  EXPECT_EQ(QuoteJson("<a&b>", false), R"("<a&b>")");
  EXPECT_EQ(QuoteJson("\xE2\x80\xA8|\xE2\x80\xA9", true), R"("\u2028|\u2029")");
  EXPECT_EQ(QuoteJson("\xC3\xA9\xF0\x9F\x98\x80", true), "\"\xC3\xA9\xF0\x9F\x98\x80\"");
  EXPECT_EQ(QuoteJson("a\0b"sv, true), R"("a\u0000b")");
}

TEST(QuoteJsonTest, ReadsBackAsTheSame) {
  std::string text;
  for (int c = 0; c < 128; ++c) text += static_cast<char>(c);
  for (const bool escape_html : {true, false}) {
    const Result<json> back = ParseJson(QuoteJson(text, escape_html), "x");
    ASSERT_TRUE(back);
    EXPECT_EQ(back->get<std::string>(), text);
  }
}

TEST(DumpJsonTest, SortedCompactOrIndented) {
  const json document = {{"b", 1}, {"a", {1, 2}}};
  EXPECT_EQ(DumpJson(document), R"({"a":[1,2],"b":1})");
  EXPECT_EQ(DumpJson(json{{"a", 1}}, 2), "{\n  \"a\": 1\n}");
}

TEST(DumpJsonTest, InvalidUtf8IsReplaced) {
  EXPECT_EQ(DumpJson(json("a\xFF"
                          "b")),
            "\"a\xEF\xBF\xBD"
            "b\"");
}

}  // namespace
}  // namespace escagent
