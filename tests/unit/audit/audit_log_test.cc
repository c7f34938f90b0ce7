#include "agent/audit/audit_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/strings.h"

namespace escagent::audit {
namespace {

namespace fs = std::filesystem;

class AuditLogTest : public ::testing::Test {
 protected:
  AuditLogTest() {
    std::string pattern = ::testing::TempDir() + "/audit-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/audit.log";
  }
  ~AuditLogTest() override { fs::remove_all(folder_); }

  static std::vector<std::string> LinesOf(const std::string& path) {
    const auto text = ReadFile(path);
    std::vector<std::string> lines;
    if (!text) return lines;
    for (const std::string_view line : Split(text->Reveal(), '\n')) lines.emplace_back(line);
    lines.pop_back();  // behind the last line break
    return lines;
  }

  static AuditEvent Open(const std::string& key) {
    AuditEvent event;
    event.key = key;
    return event;
  }

  // Polls, as there is nobody to tell.
  template <class Condition>
  static bool Eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::string folder_;
  std::string path_;
};

TEST_F(AuditLogTest, WritesInOrderAndAllAtTheEnd) {
  {
    auto log = AuditLog::Start({.path = path_, .node = "n"});
    ASSERT_TRUE(log) << log.error().message;
    for (int i = 0; i < 5000; ++i) (*log)->Write(Open("key" + std::to_string(i)));
  }
  const std::vector<std::string> lines = LinesOf(path_);
  ASSERT_EQ(lines.size(), 5000u);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_NE(lines[i].find("\"key" + std::to_string(i) + "\""), std::string::npos);
  }
  struct stat found = {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST_F(AuditLogTest, AppendsToWhatIsThere) {
  for (int i = 0; i < 2; ++i) {
    auto log = AuditLog::Start({.path = path_, .node = "n"});
    ASSERT_TRUE(log);
    (*log)->Write(Open("key"));
  }
  EXPECT_EQ(LinesOf(path_).size(), 2u);
}

TEST_F(AuditLogTest, FollowsTheRotationOfItsFile) {
  auto log = AuditLog::Start({.path = path_, .node = "n"});
  ASSERT_TRUE(log);
  (*log)->Write(Open("first"));
  ASSERT_TRUE(Eventually([&] { return (*log)->GetStats().written == 1; }));
  fs::rename(path_, path_ + ".1");
  (*log)->Reopen();
  ASSERT_TRUE(Eventually([&] { return fs::exists(path_); }));
  (*log)->Write(Open("second"));
  log->reset();
  EXPECT_EQ(LinesOf(path_ + ".1").size(), 1u);
  EXPECT_EQ(LinesOf(path_).size(), 1u);
}

TEST_F(AuditLogTest, AFolderThatIsMissingIsAnErrorThatNamesThePath) {
  const auto log = AuditLog::Start({.path = folder_ + "/no/audit.log", .node = "n"});
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().message.find(folder_ + "/no/audit.log"), std::string::npos);
}

TEST_F(AuditLogTest, AFullDiskLosesEventsVisibly) {
  auto log = AuditLog::Start({.path = "/dev/full", .node = "n"});
  ASSERT_TRUE(log) << log.error().message;
  (*log)->Write(Open("key"));
  EXPECT_TRUE(Eventually([&] { return (*log)->GetStats().lost >= 1; }));
  EXPECT_EQ((*log)->GetStats().written, 0u);
}

// Nobody reads the pipe: writers are never held up, what does not fit is counted, and told once
// somebody reads.
TEST_F(AuditLogTest, AStuckReaderHoldsNobodyUp) {
  const std::string fifo = folder_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const UniqueFd reader(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  auto log = AuditLog::Start({.path = fifo, .node = "n"});
  ASSERT_TRUE(log) << log.error().message;
  const std::string key(300, 'k');
  while ((*log)->GetStats().lost == 0) (*log)->Write(Open(key));

  // The last bytes are kept, in case the text comes in two pieces.
  constexpr std::string_view kLost = "\"event\":\"lost\"";
  std::string text;
  std::array<char, 65536> buffer;
  EXPECT_TRUE(Eventually([&] {
    while (!text.contains(kLost)) {
      const ssize_t size = read(reader.Get(), buffer.data(), buffer.size());
      if (size <= 0) return false;
      text.erase(0, text.size() - std::min(text.size(), kLost.size()));
      text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return true;
  }));
}

TEST_F(AuditLogTest, AStuckReaderDoesNotKeepTheProcessFromEnding) {
  const std::string fifo = folder_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const UniqueFd reader(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  auto log = AuditLog::Start({.path = fifo, .node = "n"});
  ASSERT_TRUE(log);
  for (int i = 0; i < 10000; ++i) (*log)->Write(Open(std::string(300, 'k')));
  log->reset();
}

}  // namespace
}  // namespace escagent::audit
