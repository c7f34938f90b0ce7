#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <random>
#include <thread>

#include "tests/component/keeper/keeper_fixture.h"

namespace escagent::keeper {
namespace {

namespace fs = std::filesystem;

// What an agent that somebody else took over may try. A decoy folder outside of the kubelet's has a
// mount of its own, and the shape of a pod's folder; nothing may change there.
class Attack : public KeeperTest {
 protected:
  Attack() {
    fs::create_directories(Inside());
    fs::create_directories(Inside() + "/mount");
    EXPECT_EQ(mount("esc-agent", (Inside() + "/mount").c_str(), "tmpfs", 0, nullptr), 0);
    StartKeeper();
  }
  ~Attack() override {
    EXPECT_EQ(MountsBelow(Decoy()).size(), 1U) << "mounted or unmounted outside";
    EXPECT_TRUE(keeper_ == nullptr || keeper_->Running());
  }

  std::string Decoy() const { return folder_ + "/decoy"; }
  std::string Inside() const { return Decoy() + "/volumes/kubernetes.io~csi/secrets"; }

  static Message About(Verb verb, const std::string& volume, const std::string& pod,
                       const std::string& name) {
    Message m = NewMessage(verb);
    volume.copy(m.ids.volume, sizeof m.ids.volume);
    pod.copy(m.ids.pod_uid, sizeof m.ids.pod_uid);
    name.copy(m.ids.volume_name, sizeof m.ids.volume_name);
    m.numbers[0] = 0755;
    if (verb == Verb::kMountTmpfs) m.numbers[1] = 4096;
    return m;
  }
};

constexpr std::array kTargetVerbs = {Verb::kMount, Verb::kMountTmpfs, Verb::kUnmount};

TEST_F(Attack, NamesThatLeadElsewhere) {
  const UniqueFd agent = RawAgent();
  for (const char* const name :
       {"..", ".", "../../decoy", "a/b", "/", "/etc", "a\nb", "a b", "\xff", "a\\b", "%2e%2e"}) {
    for (const Verb verb : kTargetVerbs) {
      EXPECT_EQ(Ask(agent, About(verb, "v", name, "secrets")), EINVAL) << name;
      EXPECT_EQ(Ask(agent, About(verb, "v", "pod", name)), EINVAL) << name;
      EXPECT_NE(Ask(agent, About(verb, name, "pod", "secrets")), verb == Verb::kUnmount ? 1 : 0);
    }
  }
  // The string ends at the NUL.
  EXPECT_EQ(Ask(agent, About(Verb::kMount, "v", std::string("pod\0/../..", 10), "secrets")),
            ENOENT);
  EXPECT_EQ(Ask(agent, About(Verb::kMount, "v", "", "secrets")), EINVAL);
}

TEST_F(Attack, SymlinksAtEveryLevel) {
  const UniqueFd agent = RawAgent();
  const std::string pods = Kubelet() + "/pods/";
  fs::create_directory_symlink(Decoy(), pods + "a");
  fs::create_directories(pods + "b");
  fs::create_directory_symlink(Decoy() + "/volumes", pods + "b/volumes");
  fs::create_directories(pods + "c/volumes");
  fs::create_directory_symlink(Decoy() + "/volumes/kubernetes.io~csi",
                               pods + "c/volumes/kubernetes.io~csi");
  fs::create_directories(pods + "d/volumes/kubernetes.io~csi");
  fs::create_directory_symlink(Inside(), pods + "d/volumes/kubernetes.io~csi/secrets");
  fs::create_directories(pods + "e/volumes/kubernetes.io~csi/secrets");
  fs::create_directory_symlink(Inside() + "/mount",
                               pods + "e/volumes/kubernetes.io~csi/secrets/mount");
  for (const char* const pod : {"a", "b", "c", "d", "e"}) {
    for (const Verb verb : kTargetVerbs) {
      const int status = Ask(agent, About(verb, "v", pod, "secrets"));
      EXPECT_TRUE(status == ELOOP || status == ENOTDIR) << pod << ": " << status;
    }
  }
  EXPECT_EQ(MountsBelow(Kubelet()).size(), 0U);
}

// A folder on the way becomes a symlink to the outside and back, all the time.
TEST_F(Attack, FoldersThatBecomeSymlinks) {
  const Target target = NewTarget("pod-1");
  const std::string volumes = Kubelet() + "/pods/pod-1/volumes";
  const std::string link = Kubelet() + "/pods/pod-1/link";
  fs::create_directory_symlink(Decoy() + "/volumes", link);
  std::atomic<bool> stop = false;
  std::jthread flipper([&] {
    while (!stop) renameat2(AT_FDCWD, volumes.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
  });
  {
    const UniqueFd agent = RawAgent();
    int mounted = 0;
    int refused = 0;
    for (int i = 0; i < 2000; ++i) {
      const int status = Ask(agent, About(Verb::kMount, target.volume, "pod-1", "secrets"));
      ++(status == 0 ? mounted : refused);
      Ask(agent, About(Verb::kUnmount, target.volume, "pod-1", "secrets"));
      if (i % 100 == 0) {
        ASSERT_EQ(MountsBelow(Decoy()).size(), 1U);
      }
    }
    EXPECT_GT(mounted, 0);
    EXPECT_GT(refused, 0) << "the race was never run";
  }
  stop = true;
}

// The same with the last part, which is what is mounted on.
TEST_F(Attack, ATargetThatBecomesASymlink) {
  const Target target = NewTarget("pod-1");
  const std::string link = FolderOf(target) + "/link";
  fs::create_directory_symlink(Inside() + "/mount", link);
  std::atomic<bool> stop = false;
  std::jthread flipper([&] {
    const std::string path = MountOf(target);
    while (!stop) renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
  });
  {
    const UniqueFd agent = RawAgent();
    for (int i = 0; i < 2000; ++i) {
      Ask(agent, About(Verb::kMount, target.volume, "pod-1", "secrets"));
      Ask(agent, About(Verb::kUnmount, target.volume, "pod-1", "secrets"));
    }
  }
  stop = true;
}

// Since Linux 6.16 they cannot even be sent; before, the message that has one is the last.
TEST_F(Attack, DescriptorsAreNotTaken) {
  const UniqueFd file(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const UniqueFd* const fd : {&file, &socket}) {
    for (const Verb verb : {Verb::kStore, Verb::kNewState, Verb::kChown, Verb::kReady}) {
      const UniqueFd agent = RawAgent();
      const std::size_t before = OpenFds(keeper_->pid());
      const int status = Ask(agent, NewMessage(verb), fd);
      EXPECT_TRUE(status == -1 || status == EPROTO) << status;
      EXPECT_LE(OpenFds(keeper_->pid()), before);
    }
  }
}

TEST_F(Attack, OnlySealedStatesOfItsOwnAreKept) {
  auto client = NewAgent();
  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(client->Mount(target, 0755, ""));
  const UniqueFd large(memfd_create("x", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(large.Get(), static_cast<off_t>(kMaxStateSize) + 1), 0);
  EXPECT_FALSE(client->Store(target.volume, 1, large));
  EXPECT_FALSE(client->Store("unknown", 1, large));
  EXPECT_FALSE((*client->ListVolumes())[0].state);

  // A predecessor in other hands may leave what it likes; its successor looks at it.
  client.reset();
  UniqueFd agent = RawAgent();
  Message m = About(Verb::kStore, target.volume, "", "");
  EXPECT_EQ(Ask(agent, m), EBADF) << "there is none";
  m.verb = static_cast<std::uint16_t>(Verb::kNewState);
  ASSERT_EQ(Ask(agent, m), 0);
  m.verb = static_cast<std::uint16_t>(Verb::kStore);
  EXPECT_EQ(Ask(agent, m), 0);
  agent.Reset();
  EXPECT_FALSE((*NewAgent()->ListVolumes())[0].state) << "not sealed";
}

TEST_F(Attack, PeersOfOtherUsersAreRefused) {
  ASSERT_EQ(chmod(SocketPath().c_str(), 0666), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
    const UniqueFd connection = RawConnection();
    if (!connection) _exit(2);
    const Message hello = NewMessage(Verb::kHello);
    _exit(Ask(connection, hello) == -1 ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  NewAgent();
}

TEST_F(Attack, TheFoldersOwnerIsServedButMayNotTakeOver) {
  keeper_.reset();
  ASSERT_EQ(chown(folder_.c_str(), 65534, 0), 0);
  StartKeeper();
  struct stat socket = {};
  ASSERT_EQ(stat(SocketPath().c_str(), &socket), 0);
  EXPECT_EQ(socket.st_mode & 07777, 0600U);
  EXPECT_EQ(socket.st_uid, 65534U);
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
    const UniqueFd taker = RawConnection();
    if (Ask(taker, NewMessage(Verb::kTakeover)) != EACCES) _exit(2);
    const UniqueFd agent = RawConnection();
    const Message hello = NewMessage(Verb::kHello);
    _exit(Ask(agent, hello) == 0 ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Attack, NobodyMayAskAnythingBeforeHello) {
  for (unsigned verb = 0; verb < 64; ++verb) {
    const Verb allowed{static_cast<std::uint16_t>(verb)};
    if (allowed == Verb::kTakeover || allowed == Verb::kHello) continue;
    const UniqueFd connection = RawConnection();
    EXPECT_EQ(Ask(connection, NewMessage(Verb{static_cast<std::uint16_t>(verb)})), EPROTO) << verb;
    EXPECT_EQ(Ask(connection, NewMessage(Verb::kList)), -1) << "closed";
  }
}

TEST_F(Attack, MessagesOfAnotherShapeEndTheConnection) {
  std::array<char, 4096> bytes = {};
  const Message good = NewMessage(Verb::kList);
  std::memcpy(bytes.data(), &good, sizeof good);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{24}, sizeof good - 1, sizeof good + 1, bytes.size()}) {
    const UniqueFd agent = RawAgent();
    ASSERT_EQ(send(agent.Get(), bytes.data(), size, 0), static_cast<ssize_t>(size));
    Message in = {};
    EXPECT_NE(Receive(agent.Get(), &in, nullptr, 0), EAGAIN) << size;
    EXPECT_EQ(in.status, EPROTO);
    EXPECT_EQ(Receive(agent.Get(), &in, nullptr, 0), ECONNRESET);
  }
  for (int field = 0; field < 5; ++field) {
    const UniqueFd agent = RawAgent();
    Message bad = good;
    if (field == 0) ++bad.magic;
    if (field == 1) ++bad.version;
    if (field == 2) bad.verb = 999;
    if (field == 3) std::memset(bad.ids.volume, 'a', sizeof bad.ids.volume);
    if (field == 4) std::memset(bad.text, 'a', sizeof bad.text);
    const int status = Ask(agent, bad);
    EXPECT_TRUE(status == EPROTO || status == -1) << field << " " << status;
    EXPECT_EQ(Ask(agent, good), -1) << "closed";
  }
}

TEST_F(Attack, RandomMessages) {
  std::mt19937 random(20261124);
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  const std::array<std::string, 7> words = {
      "", "pod-1", "secrets", "csi-pod-1-secrets", "..", "../decoy", std::string(63, 'x')};
  NewTarget("pod-1");
  fs::create_directory_symlink(Decoy(), Kubelet() + "/pods/pod-2");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  UniqueFd agent;
  unsigned sent = 0;
  while (std::chrono::steady_clock::now() < end) {
    if (!agent) agent = RawAgent();
    Message m = About(Verb{static_cast<std::uint16_t>(pick(20))}, words[pick(7)], words[pick(7)],
                      words[pick(7)]);
    m.flags = pick(2) == 0 ? kFresh : static_cast<std::uint32_t>(random());
    for (std::uint64_t& number : m.numbers) number = pick(3) == 0 ? random() : pick(3);
    if (pick(2) == 0) std::memcpy(m.text, "key", 4);
    if (pick(16) == 0) reinterpret_cast<char*>(&m)[pick(sizeof m)] = static_cast<char>(pick(256));
    ++sent;
    // A rotation waits for a server that there is not: do not wait for it.
    const bool rotate = Verb{m.verb} == Verb::kRotate;
    if (rotate ? Send(agent.Get(), {m, {}}, 0) != 0 : Ask(agent, m) == -1) agent.Reset();
  }
  EXPECT_GT(sent, 1000U);
  EXPECT_TRUE(keeper_->Running()) << keeper_->Err();
  agent.Reset();
  NewAgent();
}

TEST_F(Attack, TheKeeperHasGivenUpItsOtherPrivileges) {
  const std::string status =
      testing::ReadAll("/proc/" + std::to_string(keeper_->pid()) + "/status");
  // CHOWN, DAC_OVERRIDE, KILL, SYS_ADMIN.
  for (const char* const set : {"CapPrm", "CapEff", "CapBnd"}) {
    EXPECT_TRUE(status.contains(std::string(set) + ":\t0000000000200023")) << set << "\n" << status;
  }
  EXPECT_TRUE(status.contains("NoNewPrivs:\t1")) << status;
}

}  // namespace
}  // namespace escagent::keeper
