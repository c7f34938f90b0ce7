#include "esc/devserver/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

namespace escagent::devserver {

FolderLock::Hold::~Hold() {
  if (lock_ == nullptr) return;
  file_.Reset();
  lock_->GiveBack();
}

Result<FolderLock::Hold> FolderLock::Take() {
  {
    MutexLock lock(mutex_);
    while (taken_) free_.Wait(mutex_);
    taken_ = true;
  }
  Hold hold(*this);
  if (file_.empty()) return hold;
  hold.file_ = UniqueFd(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!hold.file_) return ErrnoError(errno, "open the lock file " + file_);
  while (::flock(hold.file_.Get(), LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoError(errno, "lock " + file_);
  }
  return hold;
}

void FolderLock::GiveBack() {
  MutexLock lock(mutex_);
  taken_ = false;
  free_.NotifyOne();
}

}  // namespace escagent::devserver
