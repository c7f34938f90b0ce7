#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include "base/unique_fd.h"
#include "fuse/keeper/protocol.h"

// What both ends of the protocol share, and the keeper's sockets. libc only. A function that
// returns a UniqueFd returns none, with errno set, when it fails.
namespace escagent::keeper {

// A message and the descriptors that are sent with it, which are borrowed.
struct Packet {
  Message message = {};
  const UniqueFd* fds[kMaxFds] = {};
};

enum class Arrival { kMessage, kMalformed, kNothing, kClosed };

// One message. `fds`: room for kMaxFds descriptors, or nullptr when none are accepted.
Arrival Receive(int socket, Message* message, UniqueFd* fds, int flags);
int Send(int socket, const Packet& packet, int flags);  // 0 or an errno
Message NewMessage(Verb verb);
// Whether it is a string of [A-Za-z0-9._-] and neither "", "." nor "..".
bool IsName(const char* text);

UniqueFd ConnectTo(const char* path);
// Listens at `path`, in place of what was there. Only `owner` and root can connect.
UniqueFd ListenAt(const char* path, int type, uid_t owner);
ucred PeerOf(int socket);  // uid -1: unknown

UniqueFd NewMemfd();  // can be sealed
long NowMs();         // of CLOCK_MONOTONIC
// One line of JSON to stderr. `text` is fixed; `volume` is a name or "".
void Log(const char* text, const char* volume, int error);

}  // namespace escagent::keeper
