#include "tests/component/keeper/keeper_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

namespace escagent::keeper {
namespace {

constexpr const char* kParent = "/tmp/keeper_test.";
constexpr std::chrono::seconds kWatchdog{150};  // less than CTest's timeout

// Only what is mounted below our own folders: /sys/fs/fuse/connections has everybody's.
void AbortOwnConnections() {
  const std::string control = std::string(kParent) + std::to_string(getpid()) + ".ctl";
  mkdir(control.c_str(), 0700);
  mount("fusectl", control.c_str(), "fusectl", 0, nullptr);
  for (const std::string& path : MountsBelow(kParent)) {
    const std::string abort = control + "/" + std::to_string(minor(DeviceAt(path))) + "/abort";
    const UniqueFd fd(open(abort.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd && write(fd.Get(), "1", 1) != 1) std::perror(abort.c_str());
  }
}

class MountEnvironment final : public ::testing::Environment {
 public:
  void SetUp() override {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      std::perror("skipped: make a mount namespace (needs root)");
      std::_Exit(77);
    }
    if (access("/dev/fuse", R_OK | W_OK) != 0) {
      std::perror("skipped: /dev/fuse");
      std::_Exit(77);
    }
    watchdog_ = std::jthread([this](const std::stop_token& stop) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait_for(lock, stop, kWatchdog, [] { return false; });
      if (stop.stop_requested()) return;
      std::fprintf(stderr, "watchdog: the test hangs; aborting its FUSE connections\n");
      AbortOwnConnections();
      std::_Exit(1);
    });
  }
  void TearDown() override {
    watchdog_.request_stop();
    watchdog_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread watchdog_;
};

const ::testing::Environment* const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new MountEnvironment);

}  // namespace

KeeperTest::KeeperTest() : folder_(std::string(kParent) + "XXXXXX") {
  if (mkdtemp(folder_.data()) == nullptr || chmod(folder_.c_str(), 0755) != 0 ||
      mount("tmpfs", folder_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0) {
    ADD_FAILURE() << "cannot make a folder to mount in: errno " << errno;
  }
  std::filesystem::create_directories(Kubelet() + "/pods");
}

KeeperTest::~KeeperTest() {
  if (keeper_ != nullptr) {
    const std::string said = keeper_->Err();
    EXPECT_FALSE(said.contains("Sanitizer") || said.contains("runtime error")) << said;
  }
  keeper_.reset();
  umount2(folder_.c_str(), MNT_DETACH);
  rmdir(folder_.c_str());
}

void KeeperTest::StartKeeper(const std::vector<std::string>& flags) {
  std::vector<std::string> argv = {
      ESC_KEEPER,        "--socket",     SocketPath(), "--kubelet-dir",
      Kubelet(),         "--csi-socket", CsiPath(),    "--registration-socket",
      RegistrationPath()};
  if (std::getenv("KEEPER_TEST_OLD_KERNEL") != nullptr) argv.insert(argv.begin(), OLD_KERNEL);
  argv.insert(argv.end(), flags.begin(), flags.end());
  keeper_ = std::make_unique<testing::Process>(argv, std::map<std::string, std::string>(),
                                               folder_ + "/keeper." + std::to_string(started_++));
  ASSERT_TRUE(keeper_->WaitForOutput("keeper serves", kDeadline)) << keeper_->Err();
}

void KeeperTest::ReplaceKeeper(const std::vector<std::string>& flags) {
  const std::unique_ptr<testing::Process> old = std::move(keeper_);
  StartKeeper(flags);
  EXPECT_EQ(old->Wait(kDeadline), 0) << old->Err();
}

std::unique_ptr<KeeperClient> KeeperTest::NewAgent(KeeperClient::Callbacks callbacks) const {
  auto client = KeeperClient::Connect(SocketPath(), std::move(callbacks), kDeadline);
  if (!client) {
    ADD_FAILURE() << client.error().ToString();
    std::abort();
  }
  return *std::move(client);
}

UniqueFd KeeperTest::RawAgent() const {
  UniqueFd connection = RawConnection();
  EXPECT_TRUE(testing::WaitFor(
      [&] {
        const int status = Ask(connection, NewMessage(Verb::kHello));
        if (status == -1) connection = RawConnection();
        return status == 0;
      },
      kDeadline));
  return connection;
}

int KeeperTest::Ask(const UniqueFd& connection, const Message& message, const UniqueFd* fd,
                    Message* reply) {
  const timeval patience = {20, 0};
  setsockopt(connection.Get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (Send(connection.Get(), {message, {fd}}, 0) != 0) return -1;
  Message in = {};
  std::array<UniqueFd, kMaxFds> fds;
  if (Receive(connection.Get(), &in, fds.data(), 0) != 0) return -1;
  if (reply != nullptr) *reply = in;
  return in.status;
}

Target KeeperTest::NewTarget(const std::string& pod, const std::string& name) const {
  Target target{.volume = "csi-" + pod + "-" + name, .pod_uid = pod, .volume_name = name};
  std::filesystem::create_directories(FolderOf(target));
  return target;
}

std::string KeeperTest::FolderOf(const Target& target) const {
  return Kubelet() + "/pods/" + target.pod_uid + "/volumes/kubernetes.io~csi/" + target.volume_name;
}

std::string ReadOrErrno(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> buffer;
  const ssize_t size = fd ? read(fd.Get(), buffer.data(), buffer.size()) : -1;
  if (size < 0) return "errno " + std::to_string(errno);
  return {buffer.data(), static_cast<std::size_t>(size)};
}

std::vector<std::string> MountsBelow(const std::string& folder) {
  std::vector<std::string> found;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string path;
    for (int i = 0; i < 5; ++i) words >> path;
    if (path.starts_with(folder)) found.push_back(path);
  }
  return found;
}

std::uint64_t DeviceAt(const std::string& path) {
  struct statx found = {};
  if (statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW, 0, &found) != 0) {
    return 0;
  }
  return makedev(found.stx_dev_major, found.stx_dev_minor);
}

std::size_t OpenFds(pid_t pid) {
  std::size_t count = 0;
  const std::filesystem::directory_iterator fds("/proc/" + std::to_string(pid) + "/fd");
  for ([[maybe_unused]] const auto& fd : fds) ++count;
  return count;
}

std::size_t Children(pid_t pid) {
  const std::string task = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid);
  std::istringstream words(testing::ReadAll(task + "/children"));
  std::size_t count = 0;
  for (std::string word; words >> word;) ++count;
  return count;
}

std::size_t ResidentKib(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

UniqueFd DupOf(const UniqueFd& fd) { return UniqueFd(fcntl(fd.Get(), F_DUPFD_CLOEXEC, 0)); }

}  // namespace escagent::keeper
