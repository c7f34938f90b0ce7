#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "fuse/keeper/volume_table.h"
#include "fuse/keeper/wire.h"

namespace escagent::keeper {

// A kRotate on its way: the request, with numbers = {old generation, new generation, KeyChange*,
// id of the connection that asked}. Comes back with its status.
KeyChange* KeysOf(const Message& job);

// The one thread that waits for who serves the mounts. It does the rotations, one after the other.
// When the agent dies it hangs in the kernel until a successor answers or the watchdog aborts that
// connection, and the rotations of other volumes wait with it; the main thread never does.
//
// It has a descriptor table of its own, without /dev/fuse: when the process is killed while the
// thread cannot be, the descriptors close nevertheless, which ends the connection it hangs on.
class Rotator {
 public:
  // Returns when the thread runs. 0 or an errno.
  int Start();
  pid_t Thread() const { return thread_id_; }
  int DoneFd() const { return jobs_.Get(); }  // readable when a job is done

  // EAGAIN: too many wait. `mount` is borrowed, the keys are taken when it is 0.
  int Submit(const Message& job, int mount);
  // False when none is done.
  bool TakeDone(Message* job);
  bool Idle() const { return unfinished_ == 0; }

 private:
  static void* Main(void* socket);

  UniqueFd jobs_;
  pid_t thread_id_ = 0;
  unsigned unfinished_ = 0;  // jobs not taken
};

}  // namespace escagent::keeper
