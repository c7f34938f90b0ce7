#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "fuse/keeper/client.h"
#include "fuse/keeper/protocol.h"
#include "tests/component/keeper/raw_fuse.h"
#include "tests/system/process.h"

namespace escagent::keeper {

inline constexpr std::chrono::seconds kDeadline{30};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

// A kubelet folder on a tmpfs of the test's own, in the mount namespace of this process's own, and
// the real esc-keeper over it. The whole program exits with 77 where it cannot mount.
class KeeperTest : public ::testing::Test {
 protected:
  KeeperTest();
  ~KeeperTest() override;

  void StartKeeper(const std::vector<std::string>& flags = {});
  // A new one in place of keeper_, which ends by itself. Agents must connect anew.
  void ReplaceKeeper(const std::vector<std::string>& flags = {});
  std::unique_ptr<KeeperClient> NewAgent(KeeperClient::Callbacks callbacks = {}) const;
  // Without the client: nobody until it says what the test wants.
  UniqueFd RawConnection() const { return ConnectTo(SocketPath().c_str()); }
  // A connection that has said hello, when whoever was the agent is gone.
  UniqueFd RawAgent() const;
  // status of the reply to one message; -1 when the connection was closed instead.
  static int Ask(const UniqueFd& connection, const Message& message, const UniqueFd* fd = nullptr,
                 Message* reply = nullptr);

  // Makes pods/<pod>/volumes/kubernetes.io~csi/<name> as kubelet does.
  Target NewTarget(const std::string& pod, const std::string& name = "secrets") const;
  std::string FolderOf(const Target& target) const;
  std::string MountOf(const Target& target) const { return FolderOf(target) + "/mount"; }

  const std::string& Folder() const { return folder_; }
  std::string Kubelet() const { return folder_ + "/kubelet"; }
  std::string SocketPath() const { return folder_ + "/keeper.sock"; }
  std::string CsiPath() const { return folder_ + "/csi.sock"; }
  std::string RegistrationPath() const { return folder_ + "/registration.sock"; }
  testing::Process& KeeperProcess() { return *keeper_; }

  std::string folder_;
  std::unique_ptr<testing::Process> keeper_;
  int started_ = 0;
};

// The bytes of a file, or "errno N".
std::string ReadOrErrno(const std::string& path);
// Mountpoints at or below `folder`, a line each, as often as there are layers.
std::vector<std::string> MountsBelow(const std::string& folder);
// st_dev of a mount without asking its server.
std::uint64_t DeviceAt(const std::string& path);
std::size_t OpenFds(pid_t pid);
std::size_t Children(pid_t pid);
std::size_t ResidentKib(pid_t pid);
UniqueFd DupOf(const UniqueFd& fd);

}  // namespace escagent::keeper
