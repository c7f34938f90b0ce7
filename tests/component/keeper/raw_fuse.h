#pragma once

#include <sys/stat.h>

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
// tree of symlinks and folders that may be changed, and one file "key" that says `content`. Answers
// in a thread until the connection ends or it is destroyed.
class RawFuse {
 public:
  RawFuse(UniqueFd device, std::string content);
  ~RawFuse();
  RawFuse(const RawFuse&) = delete;
  RawFuse& operator=(const RawFuse&) = delete;

  // Puts an empty file, or a folder, at a path below the root. What is in a folder that is not
  // there yet appears with it.
  void Add(const std::string& path, std::uint32_t mode = S_IFREG | 0444);
  // "MKDIR ..2", "RENAME ..data_tmp ..data", "SETATTR ..1/a", ...
  std::vector<std::string> Changes() const;
  std::string LinkOf(const std::string& path) const;
  void RefuseChanges() { refuse_ = true; }  // with ENOSPC
  // The changes from the one that starts so on are read and not answered, as by a server that dies.
  void HangAt(const std::string& change);
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
  // What a change is called; empty when the request is none.
  static std::string NameOfChange(std::uint32_t opcode, const std::string& folder, char* body);
  void Change(std::uint32_t opcode, const std::string& folder, char* body);
  void Reply(std::uint64_t unique, int error, const void* body, std::size_t size);
  void ReplyEntry(std::uint64_t unique, const std::string& path);
  void ReplyAttributes(std::uint64_t unique, std::uint64_t inode);
  void ReplyFolder(std::uint64_t unique, const std::string& folder, std::uint64_t offset);
  std::string PathOf(std::uint64_t inode) const;

  const UniqueFd device_;
  const std::string content_;
  mutable std::mutex mutex_;
  std::map<std::string, Node> nodes_;  // by path, but the root
  std::string hang_at_ = "never";
  bool hanging_ = false;
  std::uint64_t next_inode_ = 3;
  std::vector<std::string> changes_;
  std::atomic<bool> refuse_{false};
  std::atomic<bool> ended_{false};
  std::jthread thread_;
};

}  // namespace escagent::keeper
