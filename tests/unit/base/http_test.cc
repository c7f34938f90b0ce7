#include "base/http.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

namespace escagent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// 2026-11-24T14:05:09Z
constexpr std::chrono::system_clock::time_point kNow{seconds(1795529109)};

milliseconds RetryAfterOf(std::string value) {
  HttpResponse response;
  response.headers = {{"retry-after", std::move(value)}};
  return RetryAfter(response, kNow);
}

TEST(HttpResponseTest, HeaderNamesIgnoreCase) {
  HttpResponse response;
  response.headers = {{"ETag", "one"}, {"etag", "two"}, {"X-Empty", ""}};
  EXPECT_EQ(response.Header("etag"), "one");
  EXPECT_EQ(response.Header("ETAG"), "one");
  EXPECT_EQ(response.Header("x-empty"), "");
  EXPECT_EQ(response.Header("none"), "");
}

TEST(RetryAfterTest, Seconds) {
  EXPECT_EQ(RetryAfterOf("0"), seconds(0));
  EXPECT_EQ(RetryAfterOf("120"), seconds(120));
  EXPECT_EQ(RetryAfterOf("4000000000"), seconds(86400)) << "capped at a day";
}

TEST(RetryAfterTest, HttpDate) {
  EXPECT_EQ(RetryAfterOf("Tue, 24 Nov 2026 14:05:39 GMT"), seconds(30));
  EXPECT_EQ(RetryAfterOf("Tue, 24 Nov 2026 14:00:00 GMT"), seconds(0)) << "in the past";
  EXPECT_EQ(RetryAfterOf("Thu, 24 Nov 2126 14:05:09 GMT"), seconds(86400)) << "capped at a day";
}

TEST(RetryAfterTest, WhatIsNeitherIsIgnored) {
  EXPECT_EQ(RetryAfter(HttpResponse(), kNow), seconds(0));
  for (const std::string_view value :
       {"", "soon", "-5", "1.5", "12s", "99999999999999999999", "Tue, 24 Nov 2026",
        "Tue, 99 Nov 2026 14:05:39 GMT", "Tue, 24 Nov 2026 14:05:39 GMT and more"}) {
    EXPECT_EQ(RetryAfterOf(std::string(value)), seconds(0)) << value;
  }
}

TEST(CodeOfHttpStatusTest, Mapping) {
  struct Case {
    int status;
    Code code;
  };
  for (const auto& [status, code] : {
           Case{200, Code::kOk},
           Case{204, Code::kOk},
           Case{301, Code::kUnknown},
           Case{400, Code::kInvalidArgument},
           Case{401, Code::kUnauthenticated},
           Case{403, Code::kPermissionDenied},
           Case{404, Code::kNotFound},
           Case{405, Code::kUnimplemented},
           Case{408, Code::kDeadlineExceeded},
           Case{409, Code::kAborted},
           Case{412, Code::kFailedPrecondition},
           Case{418, Code::kUnknown},
           Case{429, Code::kResourceExhausted},
           Case{500, Code::kUnavailable},
           Case{501, Code::kUnimplemented},
           Case{502, Code::kUnavailable},
           Case{503, Code::kUnavailable},
           Case{504, Code::kDeadlineExceeded},
           Case{599, Code::kUnavailable},
       }) {
    EXPECT_EQ(CodeOfHttpStatus(status), code) << status;
  }
}

TEST(CodeOfHttpStatusTest, EveryServerErrorThatMayPassIsRetryable) {
  for (int status = 500; status < 600; ++status) {
    EXPECT_EQ(IsRetryable(CodeOfHttpStatus(status)), status != 501) << status;
  }
  EXPECT_TRUE(IsRetryable(CodeOfHttpStatus(429)));
  for (const int status : {400, 401, 403, 404, 422}) {
    EXPECT_FALSE(IsRetryable(CodeOfHttpStatus(status))) << status;
  }
}

}  // namespace
}  // namespace escagent
