#include "tests/component/fuse/takeover_readers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "tests/component/fuse/mount_fixture.h"
#include "tests/component/fuse/takeover_protocol.h"

namespace escagent::fuse {
namespace {

using std::chrono::steady_clock;

}  // namespace

void Verdict::Fail(const std::string& what) {
  MutexLock lock(mutex_);
  if (failures_++ == 0) first_ = what;
}

void Verdict::Done(steady_clock::duration took) {
  ++operations_;
  auto worst = worst_.load();
  while (worst < took && !worst_.compare_exchange_weak(worst, took)) {
  }
}

std::string Verdict::Failures() {
  MutexLock lock(mutex_);
  return failures_ == 0 ? "" : std::to_string(failures_) + ", the first: " + first_;
}

std::int64_t Verdict::WorstMilliseconds() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(worst_.load()).count();
}

Readers::Readers(std::string mountpoint, const std::atomic<std::uint32_t>& acknowledged)
    : mountpoint_(std::move(mountpoint)), acknowledged_(acknowledged) {
  for (const char* name : {"first", "second", "app/user", "first", "second"}) {
    Start([this, path = mountpoint_ + "/" + name] { ReadOnce(path); });
  }
  Start([this] { HoldAndRead(); });
  for (int i = 0; i < 2; ++i) Start([this] { ListAndStat(); });
}

bool Readers::Stop() {
  stopping_ = true;
  const bool all = WaitFor([this] { return running_ == 0; });
  if (!all) AbortOwnConnections();
  threads_.clear();
  return all;
}

void Readers::Start(std::function<void()> body) {
  ++running_;
  threads_.emplace_back([this, body] {
    while (!stopping_) {
      const auto begin = steady_clock::now();
      body();
      verdict_.Done(steady_clock::now() - begin);
    }
    --running_;
  });
}

std::uint32_t Readers::NumberOf(const std::string& bytes, const std::string& what) {
  const std::uint32_t number =
      bytes.size() == kValueSize ? static_cast<std::uint32_t>(std::stoul(bytes.substr(0, 15))) : 0;
  if (number == 0 || bytes != ValueOf(number)) {
    verdict_.Fail("torn: " + what + ", " + std::to_string(bytes.size()) + " bytes");
    return 0;
  }
  return number;
}

void Readers::ReadOnce(const std::string& path) {
  const std::uint32_t least = acknowledged_;
  const Answer<std::string> bytes = ReadPath(path);
  if (!bytes) {
    verdict_.Fail("read " + path + ": errno " + std::to_string(bytes.error()));
    return;
  }
  const std::uint32_t number = NumberOf(*bytes, path);
  if (number != 0 && number < least) verdict_.Fail("stale: " + path);
}

void Readers::HoldAndRead() {
  const Answer<UniqueFd> fd = OpenAt(AT_FDCWD, mountpoint_ + "/first", O_RDONLY);
  if (!fd) {
    verdict_.Fail("open to hold: errno " + std::to_string(fd.error()));
    return;
  }
  std::uint32_t first = 0;
  for (int i = 0; i < 20; ++i) {
    std::string bytes(kValueSize, '\0');
    const ssize_t n = pread(fd->Get(), bytes.data(), bytes.size(), 0);
    if (n < 0) {
      verdict_.Fail("read the held file: errno " + std::to_string(errno));
      return;
    }
    bytes.resize(static_cast<std::size_t>(n));
    const std::uint32_t number = NumberOf(bytes, "held file");
    if (first == 0) first = number;
    if (number != first) verdict_.Fail("the held file changed");
  }
}

void Readers::ListAndStat() {
  const std::vector<std::string> names = ListOf(mountpoint_);
  for (const char* name : {"..data", "app", "first", "second"}) {
    if (std::ranges::find(names, name) == names.end()) {
      verdict_.Fail(std::string("not listed: ") + name);
      return;
    }
    struct stat found = {};
    if (stat((mountpoint_ + "/" + name).c_str(), &found) != 0) {
      verdict_.Fail("stat " + std::string(name) + ": errno " + std::to_string(errno));
    }
  }
}

}  // namespace escagent::fuse
