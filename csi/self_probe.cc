#include "csi/self_probe.h"

#include <grpcpp/create_channel_posix.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/unique_fd.h"
#include "csi/proto/csi.grpc.pb.h"
#include "csi/unix_listener.h"

namespace escagent::csi {
namespace {

Result<UniqueFd> Dial(const std::string& path) {
  const std::string context = "dial the CSI socket " + path;
  if (path.size() > kMaxSocketPath) return InvalidArgument(context + ": the path is too long");
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoError(errno, context);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  // Never in progress on a Unix socket: a full backlog is EAGAIN.
  if (connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EACCES) return ErrnoError(errno, context);
    return Unavailable(ErrnoError(errno, context).error().message);
  }
  return fd;
}

Result<UniqueFd> Pair(const std::function<void(UniqueFd)>& serve) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return ErrnoError(errno, "make a connection to our own CSI server");
  }
  serve(UniqueFd(ends[0]));
  return UniqueFd(ends[1]);
}

}  // namespace

Status SelfProbe(const std::string& socket_path, std::chrono::milliseconds timeout,
                 const std::function<void(UniqueFd)>& serve) {
  Result<UniqueFd> dialled = Dial(socket_path);
  if (!dialled && dialled.error().code == Code::kPermissionDenied) dialled = Pair(serve);
  ESC_ASSIGN_OR_RETURN(UniqueFd fd, std::move(dialled));
  const auto stub =
      ::csi::v1::Identity::NewStub(grpc::CreateInsecureChannelFromFd("csi", fd.Release()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  ::csi::v1::ProbeResponse response;
  const grpc::Status status = stub->Probe(&context, {}, &response);
  if (!status.ok()) {
    return MakeError(static_cast<Code>(status.error_code()),
                     "probe " + socket_path + ": " + status.error_message());
  }
  if (response.has_ready() && !response.ready().value()) {
    return Unavailable("probe " + socket_path + ": not ready yet");
  }
  return {};
}

}  // namespace escagent::csi
