#include "agent/store/field_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/store_fixture.h"

namespace escagent::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class FieldReaderTest : public ::testing::Test {
 protected:
  FieldReader Reader(std::string_view text) { return FieldReader(Yaml(text), "", problems_); }

  std::vector<std::string> problems_;
};

TEST_F(FieldReaderTest, ReadsFields) {
  const FieldReader fields = Reader("{a: text, b: [x, 1], c: {d: e}, f: [{g: h}], n: null}");
  EXPECT_TRUE(fields.Exists());
  EXPECT_EQ(fields.Text("a"), "text");
  EXPECT_THAT(fields.TextList("b"), ElementsAre("x", "1"));
  EXPECT_EQ(fields.Map("c").Text("d"), "e");
  EXPECT_THAT(fields.TextMap("c"), ElementsAre(Pair("d", "e")));
  ASSERT_EQ(fields.MapList("f").size(), 1U);
  EXPECT_EQ(fields.MapList("f")[0].Text("g"), "h");
  EXPECT_TRUE(fields.Has("a"));
  EXPECT_FALSE(fields.Has("n"));
  EXPECT_FALSE(fields.Has("absent"));
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(FieldReaderTest, AbsentAndNullReadAsEmpty) {
  const FieldReader fields = Reader("{n: null}");
  for (const char* key : {"n", "absent"}) {
    EXPECT_EQ(fields.Text(key), "");
    EXPECT_THAT(fields.TextList(key), IsEmpty());
    EXPECT_THAT(fields.TextMap(key), IsEmpty());
    EXPECT_THAT(fields.MapList(key), IsEmpty());
    EXPECT_FALSE(fields.Map(key).Exists());
    EXPECT_EQ(fields.Map(key).Map("deeper").Text("still"), "");
  }
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(FieldReaderTest, WrongTypesAreProblemsWithThePath) {
  const FieldReader fields = Reader("{m: {t: [1], l: {a: b}, n: [[1]], s: text, p: {q: [r]}}}");
  const FieldReader m = fields.Map("m");
  EXPECT_EQ(m.Text("t"), "");
  EXPECT_THAT(m.TextList("l"), IsEmpty());
  EXPECT_THAT(m.TextList("n"), IsEmpty());
  EXPECT_FALSE(m.Map("s").Exists());
  EXPECT_THAT(m.MapList("s"), IsEmpty());
  EXPECT_EQ(m.MapList("n").size(), 1U);
  EXPECT_THAT(m.TextMap("p"), IsEmpty());
  EXPECT_THAT(problems_, ElementsAre("m.t: must be a string", "m.l: must be a list of strings",
                                     "m.n: must be a list of strings", "m.s: must be a mapping",
                                     "m.s: must be a list", "m.n[0]: must be a mapping",
                                     "m.p: must hold strings only"));
}

TEST_F(FieldReaderTest, UnknownFieldsAreReportedWithTheNearest) {
  Reader("{apiURL: x, project: y, zzzzzzzz: 1}").AllowOnly({"apiUrl", "project"});
  EXPECT_THAT(problems_, ElementsAre("apiURL: is not a known field; did you mean apiUrl?",
                                     "zzzzzzzz: is not a known field"));
}

TEST_F(FieldReaderTest, TheRootMustBeAMapping) {
  EXPECT_FALSE(Reader("[1, 2]").Exists());
  EXPECT_FALSE(Reader("text").Exists());
  EXPECT_THAT(problems_, ElementsAre("must be a mapping", "must be a mapping"));
}

}  // namespace
}  // namespace escagent::store
