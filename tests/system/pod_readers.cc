#include "tests/system/pod_readers.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/thread.h"
#include "base/unique_fd.h"
#include "tests/system/process.h"
#include "tests/system/storm_reading.h"

namespace escagent::testing {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxExamples = 12;
constexpr std::array<const char*, 3> kFiles = {"alpha", "beta", "nested/deep"};
// A file is held open over this many rotations or so long, whatever comes first. A successor keeps
// what it inherits for 8 (fuse/secret_tree.h).
constexpr int kHeldRotations = 4;
constexpr std::chrono::seconds kHeldTime{3};

void RaiseTo(std::atomic<int>& value, int to) {
  int seen = value;
  while (seen < to && !value.compare_exchange_weak(seen, to)) {
  }
}

void RaiseTo(std::atomic<long>& value, long to) {
  long seen = value;
  while (seen < to && !value.compare_exchange_weak(seen, to)) {
  }
}

// What a listing may have besides the keys, and what may be gone before it is looked at.
bool ComesAndGoes(std::string_view name) {
  return name == "even" || (name.starts_with("..") && name != "..data");
}

// Of the file that the path leads to at that moment.
Failure BindFile(const std::string& from, const std::string& to) {
  const bool bound = mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) == 0;
  return bound ? "" : Errno("bind " + from);
}

}  // namespace

// One thread's view.
class PodReaders::Reader {
 public:
  Reader(PodReaders& all, std::stop_token stop) : all_(all), stop_(std::move(stop)) {}

  void Open() {
    for (std::size_t i = 0; Next(); ++i) {
      if (i % 4 == 3) {
        Do(kPair, [this] { return ReadPair(); });
      } else {
        Do(kOpen, [this, i] { return ReadByPath(kFiles[i % kFiles.size()]); });
      }
    }
  }

  void Hold() {
    while (Next()) {
      UniqueFd fd;
      std::string bytes;
      int count = 0;
      Do(kHeld, [&] { return OpenHeld(fd, bytes, count); });
      const auto until = steady_clock::now() + kHeldTime;
      while (fd && count > 0 && all_.newest_ < count + kHeldRotations &&
             steady_clock::now() < until && Next()) {
        Do(kHeld, [&] { return ReadHeld(fd.Get(), bytes); });
      }
    }
  }

  void Stat() {
    for (std::size_t i = 0; Next(); ++i) {
      Do(kStat, [this, i] { return StatOnce(i); });
    }
  }

  void List() {
    while (Next()) {
      Do(kList, [this] { return ListOnce(); });
    }
  }

  void SubPath() {
    int last = 0;
    while (Next()) {
      Do(kSubPath,
         [&] { return ReadBound(all_.folder_ + "/bound", last, last, all_.sub_path_count_); });
    }
  }

  // As containers do that start, and end some rotations later. Never older than what was bound: as
  // long as somebody has the folder of that generation open its files are not ahead of it, which
  // ones that are read together through the folder need.
  void BindAnew() {
    const std::string bound = all_.folder_ + "/anew";
    while (Next()) {
      int first = 0;
      Do(kBoundAnew, [&] {
        first = all_.newest_;
        const Failure failure = BindFile(all_.target_ + "/alpha", bound);
        if (!failure.empty()) return failure;
        return ReadBound(bound, first, first, all_.bound_anew_count_);
      });
      int last = first;
      while (last < first + 3 && Next()) {
        Do(kBoundAnew, [&] { return ReadBound(bound, first, last, all_.bound_anew_count_); });
      }
      umount2(bound.c_str(), MNT_DETACH);
    }
  }

  void Watch() {
    const UniqueFd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch || inotify_add_watch(watch.Get(), all_.target_.c_str(), IN_MOVED_TO) < 0) {
      all_.Fail(kWatcher, Errno("watch " + all_.target_));
    }
    all_.watching_ = true;
    while (!stop_.stop_requested()) {
      pollfd polled = {.fd = watch.Get(), .events = POLLIN, .revents = 0};
      if (poll(&polled, 1, 20) <= 0 || !SwapsIn(watch.Get())) continue;
      Do(kWatcher, [this] {
        int count = 0;
        const Failure failure = ReadByPath("alpha", &count);
        if (failure.empty()) RaiseTo(all_.watched_, count);
        return failure;
      });
    }
  }

 private:
  // The pace: readers that did nothing else would only show how two processors are shared.
  bool Next() const {
    poll(nullptr, 0, 1);
    return !stop_.stop_requested();
  }

  template <class Body>
  void Do(Kind kind, Body body) {
    const auto start = steady_clock::now();
    const Failure failure = body();
    all_.Count(kind, steady_clock::now() - start);
    if (!failure.empty()) all_.Fail(kind, failure);
  }

  Failure ReadByPath(const std::string& file, int* count = nullptr) {
    const int floor = all_.newest_;
    std::string bytes;
    Failure failure = ReadFile(AT_FDCWD, all_.target_ + "/" + file, bytes);
    int found = 0;
    if (failure.empty()) failure = CheckStorm(file, bytes, floor, found);
    RaiseTo(all_.newest_, found);
    if (count != nullptr) *count = found;
    return failure;
  }

  // `floor` may be `last`.
  static Failure ReadBound(const std::string& path, int floor, int& last, std::atomic<int>& count) {
    std::string bytes;
    const Failure failure = ReadFile(AT_FDCWD, path, bytes);
    if (!failure.empty()) return failure;
    const Failure wrong = CheckStorm("alpha", bytes, floor, last);
    count = last;
    return wrong;
  }

  Failure ReadPair() {
    const int floor = all_.newest_;
    const UniqueFd folder(
        open((all_.target_ + "/..data").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return Errno("open ..data");
    std::array<int, 2> counts = {};
    for (std::size_t i = 0; i < counts.size(); ++i) {
      std::string bytes;
      Failure failure = ReadFile(folder.Get(), kFiles[i], bytes);
      if (failure.empty()) failure = CheckStorm(kFiles[i], bytes, floor, counts[i]);
      if (!failure.empty()) return failure + " (through one ..data)";
    }
    RaiseTo(all_.newest_, counts[0]);
    if (counts[0] == counts[1]) return "";
    return "one ..data shows " + std::to_string(counts[0]) + " and " + std::to_string(counts[1]);
  }

  Failure OpenHeld(UniqueFd& fd, std::string& bytes, int& count) const {
    const int floor = all_.newest_;
    fd.Reset(open((all_.target_ + "/alpha").c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return Errno("open alpha to hold it");
    const Failure failure = ReadOpen(fd.Get(), "alpha, held,", bytes);
    return failure.empty() ? CheckStorm("alpha", bytes, floor, count) : failure;
  }

  Failure ReadHeld(int fd, const std::string& bytes) {
    const std::size_t offset = std::uniform_int_distribution<std::size_t>(0, bytes.size())(random_);
    std::array<char, 512> buffer;
    const ssize_t n = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n < 0) return Errno("pread alpha, held");
    const std::size_t expected = std::min(buffer.size(), bytes.size() - offset);
    const std::string_view part(buffer.data(), static_cast<std::size_t>(n));
    if (part != std::string_view(bytes).substr(offset, expected)) {
      return "the open file has changed at " + std::to_string(offset);
    }
    struct stat found = {};
    if (fstat(fd, &found) != 0) return Errno("fstat alpha, held");
    if (found.st_size == static_cast<off_t>(bytes.size())) return "";
    return "the open file has another size: " + std::to_string(found.st_size) + ", not " +
           std::to_string(bytes.size());
  }

  Failure StatOnce(std::size_t i) const {
    const std::string path = all_.target_ + "/" + kFiles[i % kFiles.size()];
    struct stat found = {};
    if (stat(path.c_str(), &found) != 0) return Errno("stat " + path);
    if (!S_ISREG(found.st_mode) || found.st_size == 0) return path + ": is no file with bytes";
    const std::string link = all_.target_ + "/alpha";
    if (lstat(link.c_str(), &found) != 0) return Errno("lstat " + link);
    if (!S_ISLNK(found.st_mode)) return link + ": is no symlink";
    std::array<char, 64> to;
    const std::string data = all_.target_ + "/..data";
    if (readlink(data.c_str(), to.data(), to.size()) <= 2) return Errno("readlink " + data);
    struct statvfs system = {};
    if (statvfs(all_.target_.c_str(), &system) != 0) return Errno("statvfs");
    return "";
  }

  Failure ListOnce() const {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(all_.target_.c_str()), closedir);
    if (folder == nullptr) return Errno("opendir");
    std::set<std::string> keys;
    while (true) {
      errno = 0;
      const dirent* const entry = readdir(folder.get());
      if (entry == nullptr && errno != 0) return Errno("readdir");
      if (entry == nullptr) break;
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      struct stat found = {};
      const bool there =
          fstatat(dirfd(folder.get()), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0;
      if (!there && (errno != ENOENT || !ComesAndGoes(name))) return Errno("lstat " + name);
      if (!ComesAndGoes(name)) keys.insert(name);
    }
    if (keys == std::set<std::string>{"..data", "alpha", "beta", "nested"}) return "";
    std::string list = "the folder lists";
    for (const std::string& key : keys) list += " " + key;
    return list;
  }

  // Takes the events that are there; whether ..data was replaced.
  bool SwapsIn(int watch) {
    alignas(inotify_event) std::array<char, 16384> buffer;
    const ssize_t n = read(watch, buffer.data(), buffer.size());
    bool swapped = false;
    for (ssize_t at = 0; at < n;) {
      inotify_event event = {};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const char* const name = buffer.data() + at + sizeof(event);
      at += static_cast<ssize_t>(sizeof(event) + event.len);
      if ((event.mask & IN_MOVED_TO) == 0) {
        all_.Fail(kWatcher, "event " + std::to_string(event.mask) + " ends the watch");
      } else if (event.len > 0 && std::strcmp(name, "..data") == 0) {
        swapped = true;
        ++all_.swaps_;
      }
    }
    return swapped;
  }

  PodReaders& all_;
  const std::stop_token stop_;
  std::minstd_rand random_{std::random_device()()};
};

PodReaders::PodReaders(std::string target, std::string folder, bool sub_paths)
    : target_(std::move(target)), folder_(std::move(folder)) {
  mkdir(folder_.c_str(), 0700);
  for (const char* name : {"/bound", "/anew"}) {
    close(open((folder_ + name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  }
  const Failure failure = BindFile(target_ + "/alpha", folder_ + "/bound");
  if (!failure.empty()) throw std::runtime_error(failure);
  Start("watcher", &Reader::Watch);
  WaitFor([this] { return watching_.load(); }, std::chrono::seconds(10));
  for (int i = 0; i < 4; ++i) Start("open", &Reader::Open);
  Start("held", &Reader::Hold);
  Start("stat", &Reader::Stat);
  Start("list", &Reader::List);
  if (!sub_paths) return;
  Start("sub-path", &Reader::SubPath);
  Start("bound anew", &Reader::BindAnew);
}

PodReaders::~PodReaders() = default;

void PodReaders::Start(const char* name, void (Reader::*body)()) {
  ++running_;
  threads_.push_back(StartThread(name, [this, body](const std::stop_token& stop) {
    if (close_range(3, ~0U, CLOSE_RANGE_UNSHARE) != 0) std::abort();
    Reader reader(*this, stop);
    (reader.*body)();
    --running_;
  }));
}

bool PodReaders::Stop(milliseconds timeout) {
  for (std::jthread& thread : threads_) thread.request_stop();
  return WaitFor([this] { return running_ == 0; }, timeout);
}

milliseconds PodReaders::TakeWorstStall() {
  return duration_cast<milliseconds>(nanoseconds(worst_since_ns_.exchange(0)));
}

std::vector<ReaderReport> PodReaders::Reports() const {
  constexpr auto kNames =
      std::to_array<const char*>({"open+read+close", "two files of one ..data", "held file", "stat",
                                  "readdir+lstat", "subPath", "subPath bound anew", "after event"});
  static_assert(kNames.size() == kKindCount);
  std::vector<ReaderReport> reports;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const auto worst = nanoseconds(numbers_[i].worst_ns);
    reports.push_back({.kind = kNames[i],
                       .operations = numbers_[i].operations,
                       .worst_stall = duration_cast<milliseconds>(worst)});
  }
  return reports;
}

long PodReaders::Operations() const {
  long sum = 0;
  for (const Numbers& numbers : numbers_) sum += numbers.operations;
  return sum;
}

std::string PodReaders::Failures() const {
  MutexLock lock(mutex_);
  std::string all;
  for (const std::string& example : examples_) all += example + "\n";
  return all;
}

void PodReaders::Count(Kind kind, steady_clock::duration took) {
  const long ns = duration_cast<nanoseconds>(took).count();
  ++numbers_[kind].operations;
  RaiseTo(numbers_[kind].worst_ns, ns);
  RaiseTo(worst_since_ns_, ns);
}

void PodReaders::Fail(Kind kind, const std::string& text) {
  ++failures_;
  MutexLock lock(mutex_);
  if (examples_.size() < kMaxExamples) {
    examples_.push_back("reader " + std::to_string(kind) + ": " + text);
  }
}

}  // namespace escagent::testing
