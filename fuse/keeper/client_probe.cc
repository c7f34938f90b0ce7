#include "fuse/keeper/client_probe.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "fuse/keeper/protocol.h"

namespace escagent::keeper {

Result<ProbedKeeper> ProbeKeeper(const std::string& socket_path,
                                 std::chrono::milliseconds timeout) {
  const std::string doing = "ask esc-keeper at " + socket_path;
  const UniqueFd socket = ConnectTo(socket_path.c_str());
  if (!socket && (errno == ENOENT || errno == ECONNREFUSED)) {
    return Unavailable(doing + ": nobody listens there");
  }
  if (!socket) return ErrnoError(errno, doing);
  // Neither is done for who is no agent: a keeper that understands them answers the first with
  // EPROTO, as it does what it does not understand, and the second, from others than root, with
  // EACCES.
  const bool root = geteuid() == 0;
  Message message = NewMessage(root ? Verb::kGetSockets : Verb::kTakeover);
  message.sequence = 1;
  const std::string hung_up = doing + ": it hangs up; is this user the one of its --agent-uid?";
  if (Send(socket.Get(), {message, {}}, 0) != 0) return PermissionDenied(hung_up);
  pollfd polled = {socket.Get(), POLLIN, 0};
  if (poll(&polled, 1, static_cast<int>(timeout.count())) != 1) {
    return Unavailable(doing + ": no answer within " + std::to_string(timeout.count()) + " ms");
  }
  const int error = Receive(socket.Get(), &message, nullptr, 0);
  if (error == EPROTO) return ProbedKeeper::kOtherProtocol;
  if (error != 0) return PermissionDenied(hung_up);
  if (message.status == EACCES) return ProbedKeeper::kSameProtocol;
  return root ? ProbedKeeper::kAnswers : ProbedKeeper::kOtherProtocol;
}

}  // namespace escagent::keeper
