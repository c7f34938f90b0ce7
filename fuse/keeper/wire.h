#pragma once

#include "base/unique_fd.h"
#include "fuse/keeper/protocol.h"

// What both ends of the protocol share. libc only.
namespace escagent::keeper {

struct Received {
  Message message;
  UniqueFd fds[kMaxFds];
  unsigned fd_count = 0;
};

enum class Arrival { kMessage, kMalformed, kNothing, kClosed };

// One message, without waiting when `flags` has MSG_DONTWAIT. kMalformed: of another size, magic or
// version, without an end in a string, or with too many descriptors: any, for a Message.
Arrival Receive(int socket, Received* in, int flags);
Arrival Receive(int socket, Message* message, int flags);

// 0 or an errno. `fds` are borrowed.
int Send(int socket, const Message& message, const int* fds, unsigned fd_count, int flags);

// An empty message of this version.
Message NewMessage(Verb verb);

// Whether it is a string of [A-Za-z0-9._-] and neither "", "." nor "..".
bool IsName(const char* text);
// Whether it is one component of a path that is not ours ("..data").
bool IsKey(const char* text);
// Copies what fits; false when it does not.
bool Copy(char* field, unsigned size, const char* text);

// Connects to a SOCK_SEQPACKET socket. None, with errno set.
UniqueFd ConnectTo(const char* path);

}  // namespace escagent::keeper
