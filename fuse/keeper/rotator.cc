#include "fuse/keeper/rotator.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <cstdio>

namespace escagent::keeper {
namespace {

constexpr const char kData[] = "..data";
constexpr const char kNewData[] = "..data_tmp";

struct FolderName {
  explicit FolderName(std::uint64_t generation) {
    snprintf(text, sizeof text, "..%llu", static_cast<unsigned long long>(generation));
  }
  char text[24];
};

// What kubelet's atomic writer does (fuse.md 4). Part of it may have been done by a rotation that
// its agent did not survive.
int Rotate(const Message& job, int root) {
  const FolderName target(job.numbers[1]);
  if (mkdirat(root, target.text, 0755) != 0 && errno != EEXIST) return errno;
  if (symlinkat(target.text, root, kNewData) != 0) {
    if (errno != EEXIST) return errno;
    unlinkat(root, kNewData, 0);
    if (symlinkat(target.text, root, kNewData) != 0) return errno;
  }
  if (renameat(root, kNewData, root, kData) != 0) return errno;
  // The new generation is there: the rest is done as far as possible.
  int error = 0;
  for (const KeyChange* key = KeysOf(job); key != nullptr; key = key->next) {
    char link[sizeof kData + 256];
    snprintf(link, sizeof link, "%s/%s", kData, key->name);
    const int rc = key->remove ? unlinkat(root, key->name, 0) : symlinkat(link, root, key->name);
    if (rc != 0 && errno != (key->remove ? ENOENT : EEXIST) && error == 0) error = errno;
  }
  if (job.numbers[0] != 0 && unlinkat(root, FolderName(job.numbers[0]).text, AT_REMOVEDIR) != 0 &&
      errno != ENOENT && error == 0) {
    error = errno;
  }
  return error;
}

}  // namespace

KeyChange* KeysOf(const Message& job) { return std::bit_cast<KeyChange*>(job.numbers[2]); }

int Rotator::Start() {
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  jobs_.Reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 128UL * 1024);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, Main, &ends[1]);
  pthread_attr_destroy(&attributes);
  if (error != 0) return error;
  Received hello;
  if (Receive(jobs_.Get(), &hello, 0) != Arrival::kMessage) return EIO;
  thread_id_ = static_cast<pid_t>(hello.message.numbers[1]);
  return hello.message.status;
}

int Rotator::Submit(const Message& job, int mount) {
  const int error = Send(jobs_.Get(), job, &mount, 1, MSG_DONTWAIT);
  if (error == 0) ++unfinished_;
  return error;
}

bool Rotator::TakeDone(Message* job) {
  Received in;
  if (Receive(jobs_.Get(), &in, MSG_DONTWAIT) != Arrival::kMessage) return false;
  --unfinished_;
  *job = in.message;
  return true;
}

void* Rotator::Main(void* socket) {
  const int jobs = *static_cast<int*>(socket);
  pthread_setname_np(pthread_self(), "rotator");
  Message hello = NewMessage(Verb::kNewKeeper);
  hello.numbers[1] = static_cast<std::uint64_t>(gettid());
  if (unshare(CLONE_FILES) != 0) hello.status = errno;
  if (hello.status == 0) {
    close_range(0, static_cast<unsigned>(jobs) - 1, 0);
    close_range(static_cast<unsigned>(jobs) + 1, ~0U, 0);
  }
  Send(jobs, hello, nullptr, 0, 0);
  while (true) {
    Received in;
    if (Receive(jobs, &in, 0) != Arrival::kMessage) return nullptr;
    in.message.status = Rotate(in.message, in.fds[0].Get());
    in.fds[0].Reset();
    Send(jobs, in.message, nullptr, 0, 0);
  }
}

}  // namespace escagent::keeper
