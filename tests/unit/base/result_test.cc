#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>

namespace escagent {
namespace {

constexpr Code kAllCodes[] = {
    Code::kOk,
    Code::kCancelled,
    Code::kUnknown,
    Code::kInvalidArgument,
    Code::kDeadlineExceeded,
    Code::kNotFound,
    Code::kAlreadyExists,
    Code::kPermissionDenied,
    Code::kResourceExhausted,
    Code::kFailedPrecondition,
    Code::kAborted,
    Code::kUnimplemented,
    Code::kInternal,
    Code::kUnavailable,
    Code::kUnauthenticated,
};

TEST(CodeTest, NamesAreGrpcsAndDistinct) {
  EXPECT_EQ(CodeName(Code::kInvalidArgument), "INVALID_ARGUMENT");
  EXPECT_EQ(CodeName(Code::kUnauthenticated), "UNAUTHENTICATED");
  for (const Code a : kAllCodes) {
    for (const Code b : kAllCodes) {
      EXPECT_EQ(CodeName(a) == CodeName(b), a == b) << CodeName(a) << " and " << CodeName(b);
    }
  }
}

TEST(CodeTest, NumbersAreGrpcs) {
  EXPECT_EQ(static_cast<int>(Code::kInvalidArgument), 3);
  EXPECT_EQ(static_cast<int>(Code::kUnavailable), 14);
  EXPECT_EQ(static_cast<int>(Code::kUnauthenticated), 16);
}

TEST(CodeTest, OnlyPassingConditionsAreRetryable) {
  for (const Code code : kAllCodes) {
    const bool passing = code == Code::kUnavailable || code == Code::kDeadlineExceeded ||
                         code == Code::kResourceExhausted || code == Code::kAborted;
    EXPECT_EQ(IsRetryable(code), passing) << CodeName(code);
  }
}

TEST(ErrorTest, ToStringHasCodeAndMessage) {
  EXPECT_EQ(NotFound("open acme/web/dev: none").error().ToString(),
            "NOT_FOUND: open acme/web/dev: none");
}

TEST(ErrorTest, AnnotatePutsContextInFrontAndKeepsTheRest) {
  Error error{Code::kResourceExhausted, "too many", std::chrono::milliseconds{1500}};
  const Error annotated = Annotate(error, "read /a");
  EXPECT_EQ(annotated.message, "read /a: too many");
  EXPECT_EQ(annotated.code, Code::kResourceExhausted);
  EXPECT_EQ(annotated.retry_after, std::chrono::milliseconds{1500});
}

TEST(ErrorTest, ErrnoMapsToTheNearestCode) {
  struct Case {
    int error_number;
    Code code;
  };
  for (const auto& [error_number, code] : {
           Case{ENOENT, Code::kNotFound},
           Case{ENOTDIR, Code::kNotFound},
           Case{EEXIST, Code::kAlreadyExists},
           Case{EACCES, Code::kPermissionDenied},
           Case{EPERM, Code::kPermissionDenied},
           Case{EMFILE, Code::kResourceExhausted},
           Case{ENOSPC, Code::kResourceExhausted},
           Case{EIO, Code::kInternal},
       }) {
    const Error error = ErrnoError(error_number, "open /nowhere").error();
    EXPECT_EQ(error.code, code) << error_number;
    EXPECT_TRUE(error.message.starts_with("open /nowhere: ")) << error.message;
    EXPECT_GT(error.message.size(), std::string("open /nowhere: ").size());
  }
}

Status FailIf(bool fail) {
  if (fail) return Unavailable("down");
  return {};
}

Result<std::unique_ptr<int>> MakeInt(bool fail) {
  ESC_RETURN_IF_ERROR(FailIf(fail));
  return std::make_unique<int>(7);
}

Result<int> Twice(bool fail) {
  ESC_ASSIGN_OR_RETURN(const std::unique_ptr<int> first, MakeInt(false));
  ESC_ASSIGN_OR_RETURN(const std::unique_ptr<int> second, MakeInt(fail));
  return *first + *second;
}

TEST(ResultTest, MacrosPassValuesAndErrorsOn) {
  ASSERT_TRUE(Twice(false));
  EXPECT_EQ(*Twice(false), 14);
  ASSERT_FALSE(Twice(true));
  EXPECT_EQ(Twice(true).error().code, Code::kUnavailable);
  EXPECT_EQ(Twice(true).error().message, "down");
}

TEST(ResultTest, ReturnIfErrorEvaluatesOnce) {
  int calls = 0;
  const auto run = [&calls]() -> Status {
    ESC_RETURN_IF_ERROR([&calls]() -> Status {
      ++calls;
      return {};
    }());
    return {};
  };
  EXPECT_TRUE(run());
  EXPECT_EQ(calls, 1);
}

static_assert(!std::is_convertible_v<Result<int>, int>);

}  // namespace
}  // namespace escagent
