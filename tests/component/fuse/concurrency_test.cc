// Readers and rotations at the same time: nobody ever sees a mixture or an error.

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "tests/component/fuse/mount_fixture.h"

namespace escagent::fuse {
namespace {

constexpr std::chrono::milliseconds kDuration{1500};
constexpr int kReaders = 8;
constexpr int kVersions = 12;

class ConcurrencyTest : public ProfileTest {
 protected:
  // Runs `read` in kReaders threads while `rotate` runs over and over in this one.
  static void Storm(const std::function<void(int reader)>& read,
                    const std::function<void(int round)>& rotate) {
    std::atomic<bool> stopping{false};
    std::vector<std::jthread> readers;
    for (int i = 0; i < kReaders; ++i) {
      readers.emplace_back([&, i] {
        while (!stopping) read(i);
      });
    }
    const auto end = std::chrono::steady_clock::now() + kDuration;
    for (int round = 0; std::chrono::steady_clock::now() < end; ++round) rotate(round);
    stopping = true;
  }
};

INSTANTIATE_TEST_SUITE_P(Profiles, ConcurrencyTest,
                         ::testing::Values(CacheProfile::kNone, CacheProfile::kPage,
                                           CacheProfile::kFull),
                         ProfileName);

// A version's file is one letter throughout, and its length belongs to the letter.
std::size_t LengthOf(std::size_t base, char letter) {
  return base + static_cast<std::size_t>(letter - 'a') * 37;
}

constexpr std::array<std::size_t, 3> kBases = {4096, 100 * 1024, 1024 * 1024};
const std::array<const char*, 3> kNames = {"small", "d/middle", "large"};

std::vector<VolumeSpec> MakeVersions() {
  std::vector<VolumeSpec> versions;
  for (int v = 0; v < kVersions; ++v) {
    const char letter = static_cast<char>('a' + v);
    std::vector<std::pair<std::string, std::string>> files;
    for (std::size_t i = 0; i < kBases.size(); ++i) {
      files.emplace_back(kNames[i], std::string(LengthOf(kBases[i], letter), letter));
    }
    versions.push_back(SpecOf(files));
  }
  return versions;
}

bool IsWhole(const std::string& bytes, std::size_t base) {
  return !bytes.empty() && bytes.size() == LengthOf(base, bytes[0]) &&
         bytes.find_first_not_of(bytes[0]) == std::string::npos;
}

TEST_P(ConcurrencyTest, NothingIsTornAndNothingFails) {
  const std::vector<VolumeSpec> versions = MakeVersions();
  Start(versions[0]);
  std::atomic<int> reads{0};
  std::atomic<int> torn{0};
  std::atomic<int> failed{0};
  std::atomic<int> last_error{0};
  int rounds = 0;
  Storm(
      [&](int reader) {
        // Most read the small file, as most secrets are small.
        const std::size_t which = reader < 4 ? 0 : reader < 6 ? 1 : 2;
        const auto bytes = ReadPath(Path(kNames[which]));
        if (!bytes) {
          ++failed;
          last_error = bytes.error();
        } else if (!IsWhole(*bytes, kBases[which])) {
          ++torn;
        }
        ++reads;
      },
      [&](int round) {
        Publish(versions[static_cast<std::size_t>(round + 1) % versions.size()]);
        rounds = round;
      });
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(failed, 0) << "errno " << last_error;
  EXPECT_GT(reads, 10);
  EXPECT_GT(rounds, 3);
}

TEST_P(ConcurrencyTest, AReaderThatPublishedSeesItsOwnWrite) {
  Start(SpecOf({{"key", "0"}}));
  std::atomic<int> published{0};
  std::atomic<int> stale{0};
  Storm(
      [&](int) {
        const int at_least = published;
        const auto bytes = ReadPath(Path("key"));
        if (!bytes || std::stoi(*bytes) < at_least) ++stale;
      },
      [&](int round) {
        Publish(SpecOf({{"key", std::to_string(round + 1)}}));
        published = round + 1;
      });
  EXPECT_EQ(stale, 0);
}

TEST_P(ConcurrencyTest, PairsReadThroughAnOpenFolderBelongTogether) {
  Start(SpecOf({{"cert", "0"}, {"key", "0"}}));
  std::atomic<int> pairs{0};
  std::atomic<int> mixed{0};
  std::atomic<int> failed{0};
  Storm(
      [&](int) {
        const auto folder = OpenAt(AT_FDCWD, Path("..data"), O_RDONLY | O_DIRECTORY);
        if (!folder) {
          ++failed;
          return;
        }
        const auto cert = ReadAt(folder->Get(), "cert");
        const auto key = ReadAt(folder->Get(), "key");
        if (!cert || !key) {
          ++failed;
        } else if (*cert != *key) {
          ++mixed;
        }
        ++pairs;
      },
      [&](int round) {
        const std::string value = std::to_string(round + 1);
        Publish(SpecOf({{"cert", value}, {"key", value}}));
      });
  EXPECT_EQ(mixed, 0);
  EXPECT_EQ(failed, 0);
  EXPECT_GT(pairs, 10);
}

TEST_P(ConcurrencyTest, SeveralPublishersTakeTurns) {
  Start(SpecOf({{"key", "start"}}));
  {
    std::vector<std::jthread> publishers;
    for (int i = 0; i < 4; ++i) {
      publishers.emplace_back([this, i] {
        for (int n = 0; n < 25; ++n) {
          Publish(SpecOf({{"key", std::to_string(i) + "-" + std::to_string(n)}}));
        }
      });
    }
  }
  EXPECT_TRUE(ReadPath(Path("key"))->ends_with("-24"));
}

}  // namespace
}  // namespace escagent::fuse
