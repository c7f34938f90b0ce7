// What AtomicWriter::Shows finds out, from memory and from the files.

#include <functional>

#include "tests/unit/fuse/atomic_writer_fixture.h"

namespace escagent::fuse {
namespace {

struct Difference {
  const char* name;
  std::function<void(VolumeSpec&)> change;
};

std::string DifferenceName(const ::testing::TestParamInfo<Difference>& info) {
  return info.param.name;
}

class ShowsTest : public AtomicWriterTest, public ::testing::WithParamInterface<Difference> {};

TEST_P(ShowsTest, SeesEveryDifference) {
  VolumeSpec spec = OwnSpec({{"key", "value"}, {"d/e/inner", "1234"}, {"void", ""}});
  spec.empty_folders = {{"empty"}};
  AtomicWriter writer = NewWriter();
  ASSERT_TRUE(writer.Publish(spec));
  EXPECT_TRUE(writer.Shows(spec));
  EXPECT_TRUE(NewWriter().Shows(spec));
  GetParam().change(spec);
  EXPECT_FALSE(writer.Shows(spec));
  // Found out from the files.
  EXPECT_FALSE(NewWriter().Shows(spec));
}

INSTANTIATE_TEST_SUITE_P(
    Differences, ShowsTest,
    ::testing::Values(
        Difference{"Content", [](VolumeSpec& s) { s.files[0].content = Bytes("other"); }},
        Difference{"OneByte", [](VolumeSpec& s) { s.files[1].content = Bytes("1235"); }},
        Difference{"Longer", [](VolumeSpec& s) { s.files[0].content = Bytes("values"); }},
        Difference{"NoLongerEmpty", [](VolumeSpec& s) { s.files[2].content = Bytes("x"); }},
        Difference{"Emptied", [](VolumeSpec& s) { s.files[0].content = Bytes(""); }},
        Difference{"Mode", [](VolumeSpec& s) { s.files[1].mode = 0440; }},
        Difference{"FolderMode", [](VolumeSpec& s) { s.folder_mode = 0750; }},
        Difference{"Owner", [](VolumeSpec& s) { ++s.uid; }},
        Difference{"Group", [](VolumeSpec& s) { ++s.gid; }},
        Difference{"FileMore", [](VolumeSpec& s) { s.files.push_back({"new", 0444, Bytes("")}); }},
        Difference{"InnerFileMore",
                   [](VolumeSpec& s) { s.files.push_back({"d/new", 0444, Bytes("")}); }},
        Difference{"FileLess", [](VolumeSpec& s) { s.files.pop_back(); }},
        Difference{"Renamed", [](VolumeSpec& s) { s.files[1].path = "d/e/other"; }},
        Difference{"FolderMore", [](VolumeSpec& s) { s.empty_folders.push_back({"d/f"}); }},
        Difference{"FolderLess", [](VolumeSpec& s) { s.empty_folders.clear(); }},
        Difference{"FileToFolder",
                   [](VolumeSpec& s) {
                     s.files.pop_back();
                     s.empty_folders.push_back({"void"});
                   }}),
    DifferenceName);

TEST_F(AtomicWriterTest, ShowsLooksAtTheLinksToo) {
  const VolumeSpec spec = OwnSpec({{"a", "1"}, {"b", "2"}});
  ASSERT_TRUE(NewWriter().Publish(spec));
  const std::string generation = LinkOf("..data");
  for (const std::function<void()>& damage : std::vector<std::function<void()>>{
           [this] { EXPECT_EQ(unlink(Path("b").c_str()), 0); },
           [this] { EXPECT_EQ(symlink("..data/gone", Path("gone").c_str()), 0); },
           [this] {
             EXPECT_EQ(unlink(Path("a").c_str()), 0);
             EXPECT_EQ(symlink("..data/b", Path("a").c_str()), 0);
           },
           [this] {
             EXPECT_EQ(unlink(Path("a").c_str()), 0);
             EXPECT_EQ(mkdir(Path("a").c_str(), 0755), 0);
           }}) {
    damage();
    EXPECT_FALSE(NewWriter().Shows(spec));
    ASSERT_TRUE(NewWriter().Publish(spec));
    EXPECT_TRUE(NewWriter().Shows(spec));
    // Repaired, not rotated.
    EXPECT_EQ(LinkOf("..data"), generation);
    EXPECT_EQ(ListOf("").size(), 4U);
  }
}

}  // namespace
}  // namespace escagent::fuse
