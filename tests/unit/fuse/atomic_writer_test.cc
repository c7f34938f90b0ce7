#include "fuse/atomic_writer.h"

#include <gmock/gmock.h>
#include <sys/syscall.h>
#include <chrono>

#include <thread>

#include "tests/unit/fuse/atomic_writer_fixture.h"

namespace escagent::fuse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST_F(AtomicWriterTest, HasTheShapeOfKubeletsAtomicWriter) {
  VolumeSpec spec = OwnSpec({{"hello", "world"}, {"app/db/password", "pass"}, {"null", ""}});
  spec.files[0].mode = 0440;
  spec.files[1].mode = 0400;
  spec.empty_folders = {{"empty"}, {"app/also/empty"}};
  spec.folder_mode = 0750;
  AtomicWriter writer = NewWriter();
  const Status published = writer.Publish(spec);
  ASSERT_TRUE(published) << published.error().message;
  EXPECT_THAT(Snapshot(),
              UnorderedElementsAre(
                  Pair("..data", "link ..N"), Pair("hello", "link ..data/hello"),
                  Pair("app", "link ..data/app"), Pair("null", "link ..data/null"),
                  Pair("empty", "link ..data/empty"), Pair("..N", "folder 0750"),
                  Pair("..N/hello", "0440 world"), Pair("..N/null", "0444 "),
                  Pair("..N/empty", "folder 0750"), Pair("..N/app", "folder 0750"),
                  Pair("..N/app/db", "folder 0750"), Pair("..N/app/db/password", "0400 pass"),
                  Pair("..N/app/also", "folder 0750"), Pair("..N/app/also/empty", "folder 0750")));
  EXPECT_EQ(Read("app/db/password"), "pass");
  EXPECT_EQ(writer.Size(), (VolumeSize{.bytes = 9, .inodes = 9}));
  // The root has nothing but names: modes and owners are those of what is below.
  EXPECT_EQ(ModeOf("") & 07777, 0755U);
}

TEST_F(AtomicWriterTest, TheNumberIsTheTimeOrOneMoreThanTheHighest) {
  // time(2) is of a coarser clock, which may lag.
  const auto now = [] {
    return static_cast<std::uint64_t>(
        std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
  };
  const std::uint64_t before = now();
  AtomicWriter writer = NewWriter();
  ASSERT_TRUE(writer.Publish(OwnSpec({{"key", "0"}})));
  std::uint64_t last = Generations().back();
  EXPECT_GE(last, before);
  EXPECT_LE(last, now());
  for (int i = 1; i < 10; ++i) {
    ASSERT_TRUE(writer.Publish(OwnSpec({{"key", std::to_string(i)}})));
    EXPECT_GT(Generations().back(), last);
    last = Generations().back();
  }
  // A clock that was set back.
  ASSERT_EQ(rename(Path(".." + std::to_string(last)).c_str(), Path("..9000000000").c_str()), 0);
  ASSERT_EQ(unlink(Path("..data").c_str()), 0);
  ASSERT_EQ(symlink("..9000000000", Path("..data").c_str()), 0);
  ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"key", "new"}})));
  EXPECT_EQ(LinkOf("..data"), "..9000000001");
}

TEST_F(AtomicWriterTest, KeysComeAndGo) {
  AtomicWriter writer = NewWriter();
  ASSERT_TRUE(writer.Publish(OwnSpec({{"stays", "1"}, {"goes", "1"}, {"turns", "file"}})));
  struct stat link_before = {};
  ASSERT_EQ(lstat(Path("stays").c_str(), &link_before), 0);

  ASSERT_TRUE(writer.Publish(OwnSpec({{"stays", "2"}, {"comes", "2"}, {"turns/into", "folder"}})));
  EXPECT_THAT(
      Snapshot(),
      UnorderedElementsAre(Pair("..data", "link ..N"), Pair("stays", "link ..data/stays"),
                           Pair("comes", "link ..data/comes"), Pair("turns", "link ..data/turns"),
                           Pair("..N", "folder 0755"), Pair("..N/stays", "0444 2"),
                           Pair("..N/comes", "0444 2"), Pair("..N/turns", "folder 0755"),
                           Pair("..N/turns/into", "0444 folder"), Pair("..N-1", "folder 0755"),
                           Pair("..N-1/stays", "0444 1"), Pair("..N-1/goes", "0444 1"),
                           Pair("..N-1/turns", "0444 file")));
  struct stat link_after = {};
  ASSERT_EQ(lstat(Path("stays").c_str(), &link_after), 0);
  EXPECT_EQ(link_before.st_ino, link_after.st_ino);

  ASSERT_TRUE(writer.Publish(OwnSpec({{"turns", "file again"}})));
  EXPECT_EQ(Read("turns"), "file again");
  EXPECT_EQ(Read("stays"), "(errno 2)");
  ASSERT_TRUE(writer.Publish(OwnSpec({})));
  EXPECT_THAT(ListOf("..data/"), IsEmpty());
  EXPECT_EQ(ListOf("").size(), 3U);  // ..data and two generations
}

TEST_F(AtomicWriterTest, KeepsTheGenerationBeforeAndNoOlderOne) {
  AtomicWriter writer = NewWriter();
  ASSERT_TRUE(writer.Publish(OwnSpec({{"cert", "1"}, {"key", "1"}})));
  const UniqueFd first(open(Path("..data").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd file(open(Path("key").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(first && file);
  ASSERT_TRUE(writer.Publish(OwnSpec({{"cert", "2"}, {"key", "2"}})));
  // Who had begun to read goes on with what he began.
  const UniqueFd old(openat(first.Get(), "cert", O_RDONLY | O_CLOEXEC));
  char byte = 0;
  ASSERT_TRUE(old);
  EXPECT_EQ(read(old.Get(), &byte, 1), 1);
  EXPECT_EQ(byte, '1');
  ASSERT_TRUE(writer.Publish(OwnSpec({{"cert", "3"}, {"key", "3"}})));
  EXPECT_EQ(openat(first.Get(), "cert", O_RDONLY | O_CLOEXEC), -1);
  EXPECT_EQ(read(file.Get(), &byte, 1), 1);
  EXPECT_EQ(byte, '1');
  for (int i = 4; i < 20; ++i) {
    ASSERT_TRUE(writer.Publish(OwnSpec({{"key", std::to_string(i)}})));
    ASSERT_EQ(Generations().size(), 2U);
  }
}

TEST_F(AtomicWriterTest, ThePreviousGenerationStaysWhenAnotherProcessGoesOn) {
  ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"key", "1"}})));
  ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"key", "2"}})));
  const auto before = Snapshot();
  ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"key", "2"}})));
  EXPECT_EQ(Snapshot(), before);
  EXPECT_EQ(before.at("..N-1/key"), "0444 1");
}

TEST_F(AtomicWriterTest, PublishingTheSameChangesNothing) {
  AtomicWriter writer = NewWriter();
  ASSERT_TRUE(writer.Publish(OwnSpec({{"a", "1"}, {"b/c", "2"}})));
  const std::string generation = LinkOf("..data");
  ASSERT_TRUE(writer.Publish(OwnSpec({{"b/c", "2"}, {"a", "1"}})));
  EXPECT_EQ(LinkOf("..data"), generation);
  ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"a", "1"}, {"b/c", "2"}})));
  EXPECT_EQ(LinkOf("..data"), generation);
  ASSERT_TRUE(writer.Publish(OwnSpec({{"a", "1"}, {"b/c", "3"}})));
  EXPECT_NE(LinkOf("..data"), generation);
}

TEST_F(AtomicWriterTest, ModesDoNotDependOnTheUmask) {
  const mode_t before = umask(0077);
  VolumeSpec spec = OwnSpec({{"d/key", "1"}});
  spec.files[0].mode = 0666;
  spec.folder_mode = 0777;
  const Status published = NewWriter().Publish(spec);
  umask(before);
  ASSERT_TRUE(published) << published.error().message;
  EXPECT_EQ(ModeOf("..data/d/key") & 07777, 0666U);
  EXPECT_EQ(ModeOf("..data/d") & 07777, 0777U);
}

TEST_F(AtomicWriterTest, FoldersThatNobodyMayWriteToAreRemovedAllTheSame) {
  VolumeSpec spec = OwnSpec({{"a/b/c", "1"}});
  spec.folder_mode = 0500;
  spec.files[0].mode = 0400;
  AtomicWriter writer = NewWriter();
  for (const char* value : {"1", "2", "3", "4"}) {
    spec.files[0].content = Bytes(value);
    const Status published = writer.Publish(spec);
    ASSERT_TRUE(published) << published.error().message;
  }
  EXPECT_EQ(Read("a/b/c"), "4");
  EXPECT_EQ(Generations().size(), 2U);
}

TEST_F(AtomicWriterTest, TakesAnyNameAndAnyBytes) {
  std::string binary;
  for (int i = 0; i < 300'000; ++i) binary += static_cast<char>(i * 7 % 256);
  const std::string longest(255, 'n');
  const std::vector<std::pair<std::string, std::string>> files = {
      {"schl\xc3\xbcssel/\xe9\x8d\xb5/\xf0\x9f\x94\x91", "unicode"},
      {"no utf-8 \xff\xfe", "bytes"},
      {" leading and trailing ", "blanks"},
      {"new\nline", "control"},
      {"-rf", "dash"},
      {".hidden", "dot"},
      {"a..b", "dots"},
      {"\"quoted\" $(x) \\ *", "shell"},
      {longest + "/" + longest, "long"},
      {"data", binary}};
  AtomicWriter writer = NewWriter();
  const Status published = writer.Publish(OwnSpec(files));
  ASSERT_TRUE(published) << published.error().message;
  for (const auto& [path, bytes] : files) EXPECT_EQ(Read(path), bytes) << path;
  EXPECT_TRUE(NewWriter().Shows(OwnSpec(files)));
  EXPECT_EQ(NewWriter().Size(), writer.Size());
  ASSERT_TRUE(writer.Publish(OwnSpec({{"data", "x"}})));
  EXPECT_EQ(ListOf("").size(), 4U);
}

TEST_F(AtomicWriterTest, ARefusedSpecChangesNothing) {
  AtomicWriter writer = NewWriter();
  ASSERT_TRUE(writer.Publish(OwnSpec({{"key", "x"}})));
  const auto before = Snapshot();
  for (const std::vector<std::pair<std::string, std::string>>& files :
       std::vector<std::vector<std::pair<std::string, std::string>>>{
           {{"a/../b", "SECRET"}},
           {{"..data", "SECRET"}},
           {{"/abs", "SECRET"}},
           {{"a", "SECRET"}, {"a/b", "SECRET"}},
           {{"a", "SECRET"}, {"a", "SECRET"}}}) {
    const Status refused = writer.Publish(OwnSpec(files));
    ASSERT_FALSE(refused) << files[0].first;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message, Not(HasSubstr("SECRET")));
    EXPECT_FALSE(writer.Shows(OwnSpec(files)));
    EXPECT_FALSE(NewWriter().Shows(OwnSpec(files)));
  }
  EXPECT_EQ(Snapshot(), before);
  EXPECT_TRUE(writer.Shows(OwnSpec({{"key", "x"}})));
}

TEST_F(AtomicWriterTest, AnEmptyRootShowsNothing) {
  const AtomicWriter writer = NewWriter();
  EXPECT_FALSE(writer.Shows(OwnSpec({})));
  EXPECT_EQ(writer.Size(), (VolumeSize{.bytes = 0, .inodes = 1}));
}

TEST_F(AtomicWriterTest, LeftoversOfOthersAreRemovedAndNoLinkIsFollowed) {
  const std::string outside = base_ + "/outside";
  ASSERT_EQ(mkdir(outside.c_str(), 0755), 0);
  std::ofstream(outside + "/precious").put('p').flush();
  ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"key", "1"}})));
  for (const char* name : {"..data_tmp", "..1", "..99999999999", "..x", "key2", ".hidden"}) {
    ASSERT_EQ(symlink(outside.c_str(), Path(name).c_str()), 0) << name;
  }
  std::filesystem::create_directories(Path("..88888888888/a/b/c"));
  std::ofstream(Path("..88888888888/a/file")).put('x').flush();
  ASSERT_EQ(symlink(outside.c_str(), Path("..88888888888/a/link").c_str()), 0);
  std::filesystem::create_directories(Path("folder/in/the/way"));
  ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"key", "2"}, {"key2", "2"}, {"folder", "2"}})));
  EXPECT_EQ(ListOf("").size(), 6U);  // the keys, ..data and two generations
  EXPECT_EQ(Read("key2"), "2");
  EXPECT_EQ(Read("folder"), "2");
  EXPECT_EQ(ReadPath(outside + "/precious"), "p");

  // ..data itself leads away.
  ASSERT_EQ(unlink(Path("..data").c_str()), 0);
  ASSERT_EQ(symlink(outside.c_str(), Path("..data").c_str()), 0);
  EXPECT_FALSE(NewWriter().Shows(OwnSpec({{"precious", "p"}})));
  ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"key", "3"}})));
  EXPECT_EQ(Read("key"), "3");
  EXPECT_EQ(ReadPath(outside + "/precious"), "p");

  // The current generation is a link, though to the right files.
  const std::string moved = base_ + "/moved";
  ASSERT_EQ(rename(Path(LinkOf("..data")).c_str(), moved.c_str()), 0);
  ASSERT_EQ(symlink(moved.c_str(), Path(LinkOf("..data")).c_str()), 0);
  EXPECT_EQ(Read("key"), "3");
  EXPECT_FALSE(NewWriter().Shows(OwnSpec({{"key", "3"}})));
  for (const char* value : {"4", "5", "6"}) {
    ASSERT_TRUE(NewWriter().Publish(OwnSpec({{"key", value}})));
  }
  EXPECT_EQ(ListOf("").size(), 4U);
  EXPECT_EQ(ReadPath(moved + "/key"), "3");
}

TEST_F(AtomicWriterTest, GivesAwayOnlyWhatIsNotTheOwners) {
  struct Call {
    std::string path;
    mode_t mode;
    std::string data_link;
  };
  std::vector<Call> calls;
  VolumeSpec spec = OwnSpec({{"b/c/key", "1"}, {"a", "2"}});
  spec.files[0].mode = 0440;
  spec.folder_mode = 0750;
  AtomicWriter writer = NewWriter([&](std::string_view path, uid_t uid, gid_t gid) -> Status {
    EXPECT_EQ(uid, spec.uid);
    EXPECT_EQ(gid, spec.gid);
    const std::string name(path);
    calls.push_back({name.substr(name.find('/') + 1), ModeOf(name) & 07777, LinkOf("..data")});
    return {};
  });
  ASSERT_TRUE(writer.Publish(spec));
  EXPECT_THAT(calls, IsEmpty());
  const std::string before = LinkOf("..data");

  spec.gid += 1;
  ASSERT_TRUE(writer.Publish(spec));
  std::vector<std::string> paths;
  for (const Call& call : calls) {
    paths.push_back(call.path);
    EXPECT_EQ(call.data_link, before) << "given away after it was shown";
  }
  // What is in a folder goes before the folder, as nobody can reach it afterwards.
  EXPECT_THAT(paths, ElementsAre("a", "b/c/key", "b/c", "b", LinkOf("..data")));
  EXPECT_EQ(calls[0].mode, 0444U);
  EXPECT_EQ(calls[1].mode, 0440U);
  EXPECT_EQ(calls[2].mode, 0750U);
  // In this process it is known; for another the files tell, which this fake gave to nobody.
  EXPECT_TRUE(writer.Shows(spec));
  EXPECT_FALSE(NewWriter().Shows(spec));
}

TEST_F(AtomicWriterTest, WhatCannotBeGivenAwayIsNotShown) {
  int left = 1'000'000;
  VolumeSpec spec = OwnSpec({{"d/one", "SECRET"}, {"two", "SECRET"}});
  AtomicWriter writer = NewWriter([&left](std::string_view, uid_t, gid_t) -> Status {
    if (left-- > 0) return {};
    return Unavailable("give a file away: the keeper is gone; start it");
  });
  ASSERT_TRUE(writer.Publish(OwnSpec({{"key", "old"}})));
  const auto before = Snapshot();
  spec.uid += 1;
  for (int done = 0; done < 4; ++done) {
    left = done;
    const Status failed = writer.Publish(spec);
    ASSERT_FALSE(failed) << done;
    EXPECT_EQ(failed.error().code, Code::kUnavailable);
    EXPECT_THAT(failed.error().message, HasSubstr("the keeper is gone"));
    EXPECT_EQ(Snapshot(), before);
    EXPECT_TRUE(writer.Shows(OwnSpec({{"key", "old"}})));
  }
  left = 4;
  ASSERT_TRUE(writer.Publish(spec));
  EXPECT_EQ(Read("two"), "SECRET");
}

TEST_F(AtomicWriterTest, ErrorsSayWhatWasBeingDoneAndNoValues) {
  constexpr uid_t kNobody = 65534;
  VolumeSpec spec = OwnSpec({{"key", "SECRET"}});
  spec.uid = 0;
  AtomicWriter writer = NewWriter();
  Status failed;
  // Root may give files to anybody. The raw call changes this one thread only.
  const bool is_root = geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(chown(root_.c_str(), kNobody, 0), 0);
  }
  std::jthread([&] {
    if (is_root) {
      ASSERT_EQ(syscall(SYS_setresuid, kNobody, kNobody, kNobody), 0);
    }
    failed = writer.Publish(spec);
  }).join();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kPermissionDenied);
  EXPECT_THAT(failed.error().message, HasSubstr("/key\" to user 0"));
  EXPECT_THAT(failed.error().message, HasSubstr("needs root, or a keeper"));
  EXPECT_THAT(failed.error().message, Not(HasSubstr("SECRET")));
  EXPECT_THAT(ListOf(""), IsEmpty());
}

}  // namespace
}  // namespace escagent::fuse
