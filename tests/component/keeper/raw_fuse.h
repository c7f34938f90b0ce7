#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace escagent::keeper {

// The smallest FUSE server that the keeper's tests need, over a mounted /dev/fuse descriptor: a
// root with symlinks and folders that `rotator` may change, and one file "key" that says
// `content`. Answers in a thread until the connection ends or it is destroyed.
class RawFuse {
 public:
  RawFuse(UniqueFd device, std::string content, pid_t rotator = 0);
  ~RawFuse();
  RawFuse(const RawFuse&) = delete;
  RawFuse& operator=(const RawFuse&) = delete;

  // "MKDIR ..2", "RENAME ..data_tmp ..data", ...
  std::vector<std::string> Changes() const;
  std::string LinkOf(const std::string& name) const;
  void RefuseChanges() { refuse_ = true; }  // with ENOSPC
  // For requests that a killed server had read (FUSE_NOTIFY_RESEND, Linux 6.9).
  void Resend();
  bool Ended() const { return ended_; }

 private:
  struct Node {
    std::uint32_t mode = 0;
    std::string target;
    std::uint64_t inode = 0;
  };
  void Serve(const std::stop_token& stop);
  void Handle(char* request);
  int Change(std::uint32_t opcode, char* body);
  void Reply(std::uint64_t unique, int error, const void* body, std::size_t size);
  void ReplyEntry(std::uint64_t unique, const std::string& name);
  Node* Find(std::uint64_t inode);

  const UniqueFd device_;
  const std::string content_;
  const pid_t rotator_;
  mutable std::mutex mutex_;
  std::map<std::string, Node> nodes_;
  std::uint64_t next_inode_ = 3;
  std::vector<std::string> changes_;
  std::atomic<bool> refuse_{false};
  std::atomic<bool> ended_{false};
  std::jthread thread_;
};

}  // namespace escagent::keeper
