#pragma once

#include <sys/types.h>

#include "base/unique_fd.h"

namespace escagent::keeper {

// Listens at `path`, in place of what was there: bound and chmodded under another name, then
// renamed, so that nobody ever connects to a socket that is not ready. None, with errno.
UniqueFd ListenAt(const char* path, int type, mode_t mode, gid_t group);

// A new connection whose peer is root or `allowed_uid` (SO_PEERCRED). None for any other.
UniqueFd AcceptFrom(int listener, uid_t allowed_uid, uid_t* peer);

// Holds the peer's process, not its number. None when it is not to be seen from here.
UniqueFd PeerProcess(int socket);

bool IsWritable(int socket);

// An empty memfd that can be sealed. None, with errno.
UniqueFd NewMemfd();

// Milliseconds of CLOCK_MONOTONIC.
long NowMs();

// One line of JSON to stderr. `text` is fixed; `subject` is a volume id or "".
void Log(const char* text, const char* subject, int error);

}  // namespace escagent::keeper
