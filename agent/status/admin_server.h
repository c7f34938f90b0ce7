#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "agent/cache/environment_cache.h"
#include "agent/status/report.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace escagent::status {

// The answer to a request of the admin socket: what `report` tells, or a refresh of `cache`.
std::string AnswerAdmin(std::string_view request, const std::function<Report()>& report,
                        cache::EnvironmentCache& cache);

// Serves the admin socket (admin_protocol.h) on one thread. The socket has mode 0600, and peers
// other than root and the agent's own user (SO_PEERCRED) are refused.
class AdminServer {
 public:
  // Answers one request line with a JSON document. Runs on the server's thread.
  using Handler = std::function<std::string(std::string_view request)>;

  // Replaces a stale socket at the path; its folder is created when missing.
  static Result<std::unique_ptr<AdminServer>> Start(const std::string& socket_path,
                                                    Handler handler);
  // Stops and removes the socket.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

 private:
  AdminServer(std::string socket_path, UniqueFd listener, UniqueFd wake, Handler handler);
  void Serve(const std::stop_token& stop);
  void Answer(int fd);

  const std::string socket_path_;
  const UniqueFd listener_;
  const UniqueFd wake_;  // eventfd: ends the poll on stop
  const Handler handler_;
  std::jthread thread_;
};

}  // namespace escagent::status
