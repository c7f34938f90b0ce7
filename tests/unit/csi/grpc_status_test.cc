#include "csi/grpc_status.h"

#include <gtest/gtest.h>

#include <string>

namespace escagent::csi {
namespace {

TEST(ToGrpcStatus, KeepsCodesAndMessages) {
  for (const Code code :
       {Code::kCancelled, Code::kUnknown, Code::kInvalidArgument, Code::kDeadlineExceeded,
        Code::kNotFound, Code::kAlreadyExists, Code::kPermissionDenied, Code::kResourceExhausted,
        Code::kFailedPrecondition, Code::kAborted, Code::kUnimplemented, Code::kInternal,
        Code::kUnavailable, Code::kUnauthenticated}) {
    const grpc::Status status = ToGrpcStatus(Error{code, "mount it: no", {}});
    EXPECT_EQ(static_cast<int>(status.error_code()), static_cast<int>(code));
    EXPECT_EQ(status.error_message(), "mount it: no");
    EXPECT_TRUE(status.error_details().empty());
  }
}

TEST(ToGrpcStatus, SuccessIsOk) { EXPECT_TRUE(ToGrpcStatus(Status()).ok()); }

TEST(ToGrpcStatus, MessageIsNeverEmpty) {
  const grpc::Status status = ToGrpcStatus(Error{Code::kNotFound, "", {}});
  EXPECT_EQ(status.error_message(),
            "failed with NOT_FOUND; the log of the esc-agent on this node may say more");
}

TEST(ToGrpcStatus, AnErrorIsNeverOk) {
  EXPECT_EQ(ToGrpcStatus(Error{Code::kOk, "odd", {}}).error_code(), grpc::StatusCode::INTERNAL);
}

TEST(ToGrpcStatus, CutsLongMessagesAtACharacter) {
  std::string message;
  while (message.size() <= kMaxStatusMessage) message += "\u20ac";
  const std::string cut = ToGrpcStatus(Error{Code::kInternal, message, {}}).error_message();
  EXPECT_LE(cut.size(), kMaxStatusMessage);
  EXPECT_GT(cut.size(), kMaxStatusMessage - 7);
  EXPECT_TRUE(cut.ends_with("\u20ac..."));
}

}  // namespace
}  // namespace escagent::csi
