#include "fuse/keeper/rotator.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

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
int Rotate(const RotatorJob& job) {
  const int root = job.fd.Get();
  const FolderName target(job.new_generation);
  if (mkdirat(root, target.text, 0755) != 0 && errno != EEXIST) return errno;
  if (symlinkat(target.text, root, kNewData) != 0) {
    if (errno != EEXIST) return errno;
    unlinkat(root, kNewData, 0);
    if (symlinkat(target.text, root, kNewData) != 0) return errno;
  }
  if (renameat(root, kNewData, root, kData) != 0) return errno;
  // The new generation is there: the rest is done as far as possible.
  int error = 0;
  for (const KeyChange* key = job.keys; key != nullptr; key = key->next) {
    char link[sizeof kData + 256];
    snprintf(link, sizeof link, "%s/%s", kData, key->name);
    const int rc = key->remove ? unlinkat(root, key->name, 0) : symlinkat(link, root, key->name);
    if (rc != 0 && errno != (key->remove ? ENOENT : EEXIST) && error == 0) error = errno;
  }
  if (job.old_generation != 0 &&
      unlinkat(root, FolderName(job.old_generation).text, AT_REMOVEDIR) != 0 && errno != ENOENT &&
      error == 0) {
    error = errno;
  }
  return error;
}

}  // namespace

int Rotator::Start() {
  done_event_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!done_event_) return errno;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 128UL * 1024);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, Main, this);
  pthread_attr_destroy(&attributes);
  if (error != 0) return error;
  pthread_mutex_lock(&mutex_);
  while (thread_id_ == 0) pthread_cond_wait(&changed_, &mutex_);
  pthread_mutex_unlock(&mutex_);
  return 0;
}

RotatorJob* Rotator::New() {
  void* const memory = malloc(sizeof(RotatorJob));
  return memory == nullptr ? nullptr : new (memory) RotatorJob();
}

void Rotator::Free(RotatorJob* job) {
  FreeKeys(job->keys);
  job->~RotatorJob();
  free(job);
}

void Rotator::Submit(RotatorJob* job) {
  ++unfinished_;
  pthread_mutex_lock(&mutex_);
  (first_ == nullptr ? first_ : last_->next) = job;
  last_ = job;
  pthread_cond_signal(&changed_);
  pthread_mutex_unlock(&mutex_);
}

RotatorJob* Rotator::TakeDone() {
  pthread_mutex_lock(&mutex_);
  RotatorJob* const job = done_;
  if (job != nullptr) done_ = job->next;
  pthread_mutex_unlock(&mutex_);
  if (job != nullptr) --unfinished_;
  return job;
}

void* Rotator::Main(void* self) {
  pthread_setname_np(pthread_self(), "rotator");
  static_cast<Rotator*>(self)->Work();
  return nullptr;
}

void Rotator::Work() {
  pthread_mutex_lock(&mutex_);
  thread_id_ = gettid();
  pthread_cond_signal(&changed_);
  while (true) {
    while (first_ == nullptr) pthread_cond_wait(&changed_, &mutex_);
    RotatorJob* const job = first_;
    first_ = job->next;
    pthread_mutex_unlock(&mutex_);
    if (job->new_generation != 0) job->error = keeper::Rotate(*job);
    job->fd.Reset();
    pthread_mutex_lock(&mutex_);
    job->next = done_;
    done_ = job;
    eventfd_write(done_event_.Get(), 1);
  }
}

}  // namespace escagent::keeper
