// What an agent that is not itself may send to esc-keeper: each packet is answered, or its sender
// cut off; the keeper lives on. It has no capabilities here, so that nothing is mounted.
//
// Input: packets, each a byte with the verb, one with its size (of Message, in quarters and odd
// ends), and bytes for what follows the message's head.
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <thread>

#include "base/thread.h"
#include "fuse/keeper/keeper.h"

namespace {

using namespace escagent::keeper;

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::abort();
}

void DropCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) != 0) Fail("drop capabilities");
}

// The keeper under test, for the life of the process, in a folder that goes with it.
const std::string& SocketOfKeeper() {
  static const std::string socket = [] {
    std::string folder = "/tmp/keeper-fuzz-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) Fail("mkdtemp");
    static std::string kubelet_dir;
    kubelet_dir = folder;
    static std::string path;
    path = folder + "/keeper.sock";
    std::atexit([] {
      unlink(path.c_str());
      rmdir(kubelet_dir.c_str());
    });
    DropCapabilities();
    static Keeper* const keeper =
        new Keeper({.socket = path.c_str(), .kubelet_dir = kubelet_dir.c_str(), .uid = geteuid()});
    const char* about = nullptr;
    if (keeper->Start(&about) != 0) Fail(about);
    // It runs until the process ends.
    static auto* const runner =
        new std::jthread(escagent::StartThread("keeper", [] { keeper->Run(); }));
    if (!runner->joinable()) Fail("start the keeper");
    return path;
  }();
  return socket;
}

// Sends one packet; false when the keeper has cut the connection.
bool Exchange(int socket, const void* bytes, std::size_t size) {
  if (send(socket, bytes, size, MSG_NOSIGNAL) < 0) return false;
  pollfd waiting = {.fd = socket, .events = POLLIN, .revents = 0};
  if (poll(&waiting, 1, 8000) != 1) Fail("the keeper does not answer");
  Message reply = {};
  escagent::UniqueFd fds[kMaxFds];
  return Receive(socket, &reply, fds, 0) == 0;
}

std::span<const std::uint8_t> Take(std::span<const std::uint8_t>& from, std::size_t size) {
  const auto taken = from.first(std::min(size, from.size()));
  from = from.subspan(taken.size());
  return taken;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const escagent::UniqueFd socket = ConnectTo(SocketOfKeeper().c_str());
  if (!socket) Fail("connect");
  Message hello = NewMessage(Verb::kHello);
  hello.sequence = 1;
  if (!Exchange(socket.Get(), &hello, sizeof hello)) return 0;

  std::span<const std::uint8_t> rest(data, size);
  for (std::uint64_t sequence = 2; rest.size() >= 2; ++sequence) {
    const auto head = Take(rest, 2);
    // Two keepers would wait for each other.
    const bool takeover = head[0] == static_cast<std::uint8_t>(Verb::kTakeover);
    Message message = NewMessage(takeover ? Verb::kProbe : static_cast<Verb>(head[0]));
    message.sequence = sequence;
    constexpr std::size_t kHead = offsetof(Message, flags);
    const auto body = Take(rest, sizeof message - kHead);
    std::memcpy(reinterpret_cast<std::uint8_t*>(&message) + kHead, body.data(), body.size());
    const std::size_t sent = head[1] < 0xf0 ? sizeof message : std::size_t{head[1]};
    if (!Exchange(socket.Get(), &message, sent)) return 0;
  }
  return 0;
}
