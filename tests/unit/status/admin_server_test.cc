#include "agent/status/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "agent/status/admin_protocol.h"

namespace escagent::status {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class AdminServerTest : public ::testing::Test {
 protected:
  AdminServerTest() : folder_(::testing::TempDir() + "admin-" + std::to_string(getpid())) {}
  ~AdminServerTest() override { std::filesystem::remove_all(folder_); }

  std::string Path() const { return folder_ + "/run/admin.sock"; }
  const std::string folder_;
};

TEST_F(AdminServerTest, AnswersEachRequestLine) {
  const auto server = AdminServer::Start(
      Path(), [](std::string_view request) { return "got " + std::string(request); });
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_EQ(*AskAgent(Path(), "status", seconds(5)), "got status");
  EXPECT_EQ(*AskAgent(Path(), "refresh acme/web/dev", seconds(5)), "got refresh acme/web/dev");
}

TEST_F(AdminServerTest, LargeAnswersArriveWhole) {
  const std::string large(3 << 20, 'x');
  const auto server = AdminServer::Start(Path(), [&](std::string_view) { return large; });
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_EQ(*AskAgent(Path(), "status", seconds(20)), large);
}

TEST_F(AdminServerTest, SocketIsForTheOwnerOnlyAndGoesWithTheServer) {
  {
    const auto server = AdminServer::Start(Path(), [](std::string_view) { return ""; });
    ASSERT_TRUE(server) << server.error().message;
    struct stat st = {};
    ASSERT_EQ(stat(Path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600U);
    // A second one takes a stale path over.
    EXPECT_TRUE(AdminServer::Start(Path(), [](std::string_view) { return ""; }));
  }
  EXPECT_FALSE(std::filesystem::exists(Path()));
}

TEST_F(AdminServerTest, NobodyListeningIsUnavailable) {
  const auto answer = AskAgent(Path(), "status", seconds(5));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("is it running"));
}

TEST_F(AdminServerTest, PathsTooLongForASocketAreRefused) {
  const std::string path = folder_ + "/" + std::string(200, 'a');
  const auto server = AdminServer::Start(path, [](std::string_view) { return ""; });
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::kInvalidArgument);
  EXPECT_FALSE(AskAgent(path, "status", seconds(5)));
}

}  // namespace
}  // namespace escagent::status
