#pragma once

#include <string>
#include <utility>

#include "base/mutex.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace escagent::devserver {

// Lets one writer at a time change a folder: among the threads of this process, and with a lock
// file among all processes that use it (flock(2): a process that dies gives it up). Thread-safe;
// not recursive.
class FolderLock {
 public:
  // Held until destroyed.
  class Hold {
   public:
    Hold(Hold&& other) noexcept
        : lock_(std::exchange(other.lock_, nullptr)), file_(std::move(other.file_)) {}
    Hold& operator=(Hold&&) = delete;
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold();

   private:
    friend class FolderLock;
    explicit Hold(FolderLock& lock) : lock_(&lock) {}

    FolderLock* lock_;
    UniqueFd file_;
  };

  // `file` is made when missing. Empty: among threads only.
  explicit FolderLock(std::string file) : file_(std::move(file)) {}
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Waits for its turn.
  Result<Hold> Take();

 private:
  void GiveBack();

  const std::string file_;
  Mutex mutex_;
  CondVar free_;
  bool taken_ GUARDED_BY(mutex_) = false;
};

}  // namespace escagent::devserver
