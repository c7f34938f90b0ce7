#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "fuse/file_spec.h"

namespace escagent::fuse {

// Between fuse_takeover_test, which plays the keeper, and takeover_agent, which it kills.
// The agent finds these descriptors:
inline constexpr int kDeviceFd = 3;
inline constexpr int kStateFd = 4;
inline constexpr int kJournalFd = 5;
inline constexpr int kSocketFd = 6;

enum class Said : std::uint32_t {
  kReady,    // agent: it serves
  kPublish,  // test: show values with this number
  kRotate,   // agent: keep the state that comes along, if one does, and make the renames
  kRotated,  // test: they are made, or `error`
  kDone,     // agent: everybody sees the new generation
};

struct Note {
  Said said = Said::kReady;
  std::uint32_t number = 0;  // of values
  int error = 0;
  std::uint64_t old_generation = 0;
  std::uint64_t new_generation = 0;
};

inline bool Send(int socket, const Note& note, int fd = -1) {
  Note copy = note;
  iovec data = {.iov_base = &copy, .iov_len = sizeof copy};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL) == ssize_t{sizeof copy};
}

// Nothing when the other side is gone.
inline std::optional<Note> Receive(int socket, UniqueFd& fd) {
  Note note;
  iovec data = {.iov_base = &note, .iov_len = sizeof note};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != ssize_t{sizeof note}) return std::nullopt;
  if (const cmsghdr* const header = CMSG_FIRSTHDR(&message); header != nullptr) {
    int received = -1;
    std::memcpy(&received, CMSG_DATA(header), sizeof received);
    fd.Reset(received);
  }
  return note;
}

inline constexpr std::size_t kValueSize = 4096;

// A value says in every line which number it is of.
inline std::string ValueOf(std::uint32_t number) {
  std::string line = std::to_string(number);
  line.insert(0, 15 - line.size(), '0');
  line += '\n';
  std::string value;
  while (value.size() < kValueSize) value += line;
  return value;
}

inline VolumeSpec NumberedSpec(std::uint32_t number) {
  VolumeSpec spec;
  const auto content = std::make_shared<const Secret>(ValueOf(number));
  // The last one comes and goes.
  for (const std::string& path : {std::string("app/user"), std::string("first"),
                                  std::string("second"), "some" + std::to_string(number % 3)}) {
    spec.files.push_back({.path = path, .mode = 0444, .content = content});
  }
  return spec;
}

}  // namespace escagent::fuse
