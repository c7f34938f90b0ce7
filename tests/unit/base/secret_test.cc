#include "base/secret.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/locked_memory.h"

namespace escagent {
namespace {

// Long enough for its own size class, so that freeing it does not hide behind a neighbour.
constexpr std::string_view kMarked =
    "canary-value-that-must-be-gone-canary-value-that-must-be-gone";

static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret>);
static_assert(std::is_nothrow_move_assignable_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_convertible_v<std::string, Secret>);
static_assert(!std::is_convertible_v<const char*, Secret>);

std::size_t UsedBytes() { return GetLockedMemoryStats().used_bytes; }

TEST(SecretTest, HoldsItsBytes) {
  const Secret secret(std::string_view("a\0b", 3));
  EXPECT_EQ(secret.Reveal(), std::string_view("a\0b", 3));
  EXPECT_EQ(secret.Size(), 3U);
  EXPECT_FALSE(secret.Empty());
}

TEST(SecretTest, EmptyOnesTakeNoMemory) {
  const std::size_t before = UsedBytes();
  const Secret none;
  const Secret empty(std::string_view{});
  EXPECT_TRUE(none.Empty());
  EXPECT_TRUE(empty.Empty());
  EXPECT_EQ(empty.Reveal(), "");
  EXPECT_EQ(UsedBytes(), before);
}

TEST(SecretTest, TakingAStringOverWipesIt) {
  // Short (in the small-string buffer) and long (on the heap).
  for (const std::string_view text : {std::string_view("short"), kMarked}) {
    std::string source(text);
    const char* bytes = source.data();
    const Secret secret(std::move(source));
    EXPECT_EQ(secret.Reveal(), text);
    EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move): the contract
    EXPECT_EQ(source.data(), bytes);
    for (std::size_t i = 0; i < text.size(); ++i) EXPECT_EQ(bytes[i], '\0') << i;
  }
}

TEST(SecretTest, MovingLeavesTheSourceEmpty) {
  Secret a(kMarked);
  const char* bytes = a.Reveal().data();
  Secret b(std::move(a));
  EXPECT_TRUE(a.Empty());  // NOLINT(bugprone-use-after-move): the contract
  EXPECT_EQ(b.Reveal().data(), bytes) << "moving must not copy the bytes";
  Secret c(std::string_view("other"));
  c = std::move(b);
  EXPECT_EQ(c.Reveal(), kMarked);
  EXPECT_EQ(c.Reveal().data(), bytes);
}

TEST(SecretTest, CloneIsIndependent) {
  Secret copy;
  {
    const Secret original(kMarked);
    copy = original.Clone();
    EXPECT_NE(copy.Reveal().data(), original.Reveal().data());
  }
  EXPECT_EQ(copy.Reveal(), kMarked);
}

TEST(SecretTest, Equals) {
  const Secret a(std::string_view("abc"));
  EXPECT_TRUE(a.Equals("abc"));
  EXPECT_TRUE(a.Equals(Secret(std::string_view("abc"))));
  EXPECT_FALSE(a.Equals("abd"));
  EXPECT_FALSE(a.Equals("ab"));
  EXPECT_FALSE(a.Equals(""));
  EXPECT_TRUE(Secret().Equals(""));
}

TEST(SecretTest, BytesAreGoneAfterDestruction) {
  const char* bytes = nullptr;
  {
    const Secret secret(kMarked);
    bytes = secret.Reveal().data();
  }
  // The block stays mapped (it belongs to a shared chunk), so what is left of it can be read.
  EXPECT_NE(std::string_view(bytes, kMarked.size()), kMarked);
  EXPECT_EQ(std::string_view(bytes, kMarked.size()).find("canary"), std::string_view::npos);
}

TEST(SecretTest, AssignmentWipesTheOldBytes) {
  Secret secret(kMarked);
  const char* bytes = secret.Reveal().data();
  secret = Secret();
  EXPECT_EQ(std::string_view(bytes, kMarked.size()).find("canary"), std::string_view::npos);
}

TEST(SecretTest, MemoryIsGivenBack) {
  const std::size_t before = UsedBytes();
  {
    const Secret small(kMarked);
    const Secret large(std::string(1 << 20, 'x'));
    EXPECT_GE(UsedBytes(), before + kMarked.size() + (1 << 20));
  }
  EXPECT_EQ(UsedBytes(), before);
}

TEST(SecretBuilderTest, CollectsFromAllSources) {
  SecretBuilder builder;
  builder.Append("ab");
  builder.Append('c');
  builder.Append(Secret(std::string_view("de")));
  builder.Append("");
  EXPECT_EQ(builder.Size(), 5U);
  EXPECT_EQ(builder.Reveal(), "abcde");
  const Secret secret = builder.Finish();
  EXPECT_EQ(secret.Reveal(), "abcde");
  EXPECT_EQ(builder.Size(), 0U);
  builder.Append("again");
  EXPECT_EQ(builder.Finish().Reveal(), "again");
}

TEST(SecretBuilderTest, WipesWhatItOutgrows) {
  SecretBuilder builder;
  builder.Append(kMarked);
  const char* first_block = builder.Reveal().data();
  while (builder.Reveal().data() == first_block) builder.Append('.');
  EXPECT_TRUE(builder.Reveal().starts_with(kMarked));
  EXPECT_EQ(std::string_view(first_block, kMarked.size()).find("canary"), std::string_view::npos);
}

TEST(SecretBuilderTest, FinishTrimsLargeOnes) {
  const std::size_t before = UsedBytes();
  SecretBuilder builder;
  // Doubling leaves almost half of the block unused after the last growth.
  builder.Append(std::string(1 << 20, 'x'));
  builder.Append('y');
  const Secret secret = builder.Finish();
  EXPECT_EQ(secret.Size(), (std::size_t{1} << 20) + 1);
  EXPECT_LT(UsedBytes() - before, (std::size_t{1} << 20) * 5 / 4);
}

TEST(SecretBuilderTest, MovedFromIsEmpty) {
  SecretBuilder a;
  a.Append("abc");
  SecretBuilder b(std::move(a));
  EXPECT_EQ(b.Reveal(), "abc");
  EXPECT_EQ(a.Size(), 0U);  // NOLINT(bugprone-use-after-move): the contract
}

TEST(WipeStringTest, WipesHeapAndSmallBuffer) {
  for (const std::string_view text : {std::string_view("short"), kMarked}) {
    std::string s(text);
    const char* bytes = s.data();
    WipeString(s);
    EXPECT_TRUE(s.empty());
    ASSERT_EQ(s.data(), bytes);
    for (std::size_t i = 0; i < text.size(); ++i) EXPECT_EQ(bytes[i], '\0') << i;
  }
}

TEST(WipeStringTest, WipesWhatAShorterTextLeftBehind) {
  std::string s(kMarked);
  const char* bytes = s.data();
  s.resize(3);
  WipeString(s);
  EXPECT_EQ(std::memchr(bytes, 'g', kMarked.size()), nullptr);
}

}  // namespace
}  // namespace escagent
