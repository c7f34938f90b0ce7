#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "fuse/keeper/volume_table.h"

namespace escagent::keeper {

struct RotatorJob {
  RotatorJob* next = nullptr;
  std::uint64_t id = 0;
  UniqueFd fd;  // the private mount; or, without a new generation, one to be closed
  std::uint64_t old_generation = 0;
  std::uint64_t new_generation = 0;
  KeyChange* keys = nullptr;
  int error = 0;
  // Of the request.
  std::uint64_t connection = 0;
  std::uint64_t sequence = 0;
};

// The one thread that waits for who serves the mounts: it does the rotations, one after the other,
// and closes descriptors of unknown origin (a close may ask a server, too). When the agent dies it
// hangs in the kernel until a successor answers or the watchdog aborts that connection, and the
// rotations of other volumes wait with it; the main thread never does.
//
// Pending jobs end with the process.
class Rotator {
 public:
  // Returns when the thread runs. 0 or an errno.
  int Start();
  pid_t Thread() const { return thread_id_; }
  int DoneEvent() const { return done_event_.Get(); }  // readable after a job

  // nullptr when there is no memory.
  static RotatorJob* New();
  static void Free(RotatorJob* job);
  void Submit(RotatorJob* job);
  // A job that is done, or nullptr.
  RotatorJob* TakeDone();
  bool Idle() const { return unfinished_ == 0; }

 private:
  static void* Main(void* self);
  void Work();
  void Push(RotatorJob* job);

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed_ = PTHREAD_COND_INITIALIZER;
  RotatorJob* first_ = nullptr;
  RotatorJob* last_ = nullptr;
  RotatorJob* done_ = nullptr;
  UniqueFd done_event_;
  pid_t thread_id_ = 0;
  unsigned unfinished_ = 0;  // the main thread's; jobs not taken
};

}  // namespace escagent::keeper
