#include "tests/tools/kubelet.h"

#include <grpcpp/create_channel.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "csi/proto/csi.grpc.pb.h"
#include "csi/proto/pluginregistration.grpc.pb.h"

namespace escagent::testing {
namespace {

namespace v1 = ::csi::v1;
using std::chrono::milliseconds;

// kubernetes pkg/volume/csi/csi_plugin.go (csiTimeout), pluginmanager/operationexecutor.
constexpr milliseconds kCsiTimeout{120000};
constexpr milliseconds kGetInfoTimeout{1000};
constexpr milliseconds kNotifyTimeout{5000};

std::shared_ptr<grpc::Channel> Dial(const std::string& endpoint) {
  const std::string path = endpoint.starts_with("unix://") ? endpoint.substr(7) : endpoint;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(), arguments);
}

// Calls `stub->method` with a deadline; the driver's status becomes the Error as it is.
template <class Stub, class Request, class Response>
Result<Response> Call(const std::unique_ptr<Stub>& stub,
                      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                      const Request& request, milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  Response response;
  const grpc::Status status = (stub.get()->*method)(&context, request, &response);
  if (!status.ok()) {
    return MakeError(static_cast<Code>(status.error_code()), status.error_message());
  }
  return response;
}

// Which errors leave kubelet unsure of the volume's state (isFinalError in csi_client.go).
bool IsFinal(Code code) {
  return code != Code::kCancelled && code != Code::kDeadlineExceeded &&
         code != Code::kUnavailable && code != Code::kResourceExhausted && code != Code::kAborted;
}

std::optional<std::string> FindRegistrationSocket(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') || !name.ends_with("-reg.sock")) continue;
    if (entry.is_socket(error)) return entry.path().string();
  }
  return std::nullopt;
}

// As kubelet's plugin watcher: looks, then waits for names that appear.
Result<std::string> AwaitRegistrationSocket(const std::string& folder, milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const UniqueFd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch || inotify_add_watch(watch.Get(), folder.c_str(), IN_CREATE | IN_MOVED_TO) < 0) {
    return ErrnoError(errno, "watch " + folder);
  }
  while (true) {
    if (auto socket = FindRegistrationSocket(folder)) return *std::move(socket);
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return MakeError(Code::kDeadlineExceeded, "no *-reg.sock appeared in " + folder);
    }
    pollfd event{.fd = watch.Get(), .events = POLLIN, .revents = 0};
    poll(&event, 1, static_cast<int>(left.count()));
    std::array<char, 4096> ignored;
    while (read(watch.Get(), ignored.data(), ignored.size()) > 0) {
    }
  }
}

}  // namespace

Kubelet::Kubelet(Options options) : options_(std::move(options)) {}

void Kubelet::Say(const std::string& text) const {
  if (options_.say) options_.say(text);
}

Result<RegisteredDriver> Kubelet::Register(const std::string& registry_folder, milliseconds timeout,
                                           const std::string& endpoint_override) {
  Say("looking for a registration socket in " + registry_folder);
  ESC_ASSIGN_OR_RETURN(const std::string socket, AwaitRegistrationSocket(registry_folder, timeout));
  const auto registration = pluginregistration::Registration::NewStub(Dial(socket));
  Result<RegisteredDriver> driver = CallDriver(socket, endpoint_override);

  pluginregistration::RegistrationStatus verdict;
  verdict.set_plugin_registered(driver.has_value());
  if (!driver) verdict.set_error(driver.error().message);
  Say(std::string("NotifyRegistrationStatus: the driver ") +
      (driver ? "is registered" : "could not be registered"));
  const auto notified =
      Call(registration, &pluginregistration::Registration::Stub::NotifyRegistrationStatus, verdict,
           kNotifyTimeout);
  if (driver && !notified) return std::unexpected(notified.error());
  return driver;
}

Result<RegisteredDriver> Kubelet::CallDriver(const std::string& socket,
                                             const std::string& endpoint_override) {
  Say("GetInfo on " + socket);
  const auto registration = pluginregistration::Registration::NewStub(Dial(socket));
  ESC_ASSIGN_OR_RETURN(const pluginregistration::PluginInfo info,
                       Call(registration, &pluginregistration::Registration::Stub::GetInfo,
                            pluginregistration::InfoRequest(), kGetInfoTimeout));
  RegisteredDriver driver{
      .name = info.name(),
      .endpoint = endpoint_override.empty() ? info.endpoint() : endpoint_override,
      .supported_versions = {info.supported_versions().begin(), info.supported_versions().end()},
      .registration_socket = socket,
      .node_id = {}};
  if (info.type() != "CSIPlugin") {
    return InvalidArgument("the plugin's type is \"" + info.type() + "\", not CSIPlugin");
  }
  if (driver.supported_versions != std::vector<std::string>{"1.0.0"}) {
    return InvalidArgument("the plugin does not support version 1.0.0 of kubelet's plugin API");
  }
  Say("NodeGetInfo on " + driver.endpoint);
  const auto node = v1::Node::NewStub(Dial(driver.endpoint));
  ESC_ASSIGN_OR_RETURN(
      const v1::NodeGetInfoResponse node_info,
      Call(node, &v1::Node::Stub::NodeGetInfo, v1::NodeGetInfoRequest(), kCsiTimeout));
  driver.node_id = node_info.node_id();
  if (driver.node_id.empty()) return InvalidArgument("NodeGetInfo answered an empty node_id");
  return driver;
}

Result<bool> Kubelet::HasMountGroup(const std::string& endpoint) {
  using Rpc = v1::NodeServiceCapability::RPC;
  const auto node = v1::Node::NewStub(Dial(endpoint));
  ESC_ASSIGN_OR_RETURN(const v1::NodeGetCapabilitiesResponse response,
                       Call(node, &v1::Node::Stub::NodeGetCapabilities,
                            v1::NodeGetCapabilitiesRequest(), kCsiTimeout));
  bool mount_group = false;
  for (const auto& capability : response.capabilities()) {
    mount_group = mount_group || capability.rpc().type() == Rpc::VOLUME_MOUNT_GROUP;
  }
  return mount_group;
}

Result<std::string> Kubelet::Publish(const std::string& endpoint, const InlineVolume& volume) {
  // kubelet asks twice: for STAGE_UNSTAGE_VOLUME, then for VOLUME_MOUNT_GROUP.
  ESC_RETURN_IF_ERROR(HasMountGroup(endpoint));
  ESC_ASSIGN_OR_RETURN(const bool mount_group, HasMountGroup(endpoint));
  ESC_RETURN_IF_ERROR(PrepareFolder(volume));
  const v1::NodePublishVolumeRequest request = PublishRequest(volume, mount_group);
  Say("NodePublishVolume " + request.volume_id().substr(0, 12) + "... at " + request.target_path());
  const auto node = v1::Node::NewStub(Dial(endpoint));
  const auto response = Call(node, &v1::Node::Stub::NodePublishVolume, request, kCsiTimeout);
  if (!response) {
    if (IsFinal(response.error().code)) RemoveFolder(volume);
    return std::unexpected(response.error());
  }
  return request.target_path();
}

Status Kubelet::Unpublish(const std::string& endpoint, const InlineVolume& volume) {
  v1::NodeUnpublishVolumeRequest request;
  request.set_volume_id(VolumeId(volume));
  request.set_target_path(TargetPath(volume));
  Say("NodeUnpublishVolume at " + request.target_path());
  const auto node = v1::Node::NewStub(Dial(endpoint));
  const auto response = Call(node, &v1::Node::Stub::NodeUnpublishVolume, request, kCsiTimeout);
  ESC_RETURN_IF_ERROR(response);
  RemoveFolder(volume);
  return {};
}

Result<v1::NodeGetVolumeStatsResponse> Kubelet::Stats(const std::string& endpoint,
                                                      const InlineVolume& volume) {
  v1::NodeGetVolumeStatsRequest request;
  request.set_volume_id(VolumeId(volume));
  request.set_volume_path(TargetPath(volume));
  const auto node = v1::Node::NewStub(Dial(endpoint));
  return Call(node, &v1::Node::Stub::NodeGetVolumeStats, request, kCsiTimeout);
}

Status Kubelet::Probe(const std::string& endpoint) {
  const auto identity = v1::Identity::NewStub(Dial(endpoint));
  ESC_ASSIGN_OR_RETURN(
      const v1::ProbeResponse response,
      Call(identity, &v1::Identity::Stub::Probe, v1::ProbeRequest(), milliseconds(3000)));
  if (response.has_ready() && !response.ready().value()) {
    return Unavailable("the driver is not ready yet");
  }
  return {};
}

std::string Kubelet::VolumeId(const InlineVolume& volume) {
  return "csi-" + Sha256Hex(volume.pod_uid + volume.name);
}

std::string Kubelet::VolumeFolder(const InlineVolume& volume) const {
  return options_.root + "/pods/" + volume.pod_uid + "/volumes/kubernetes.io~csi/" + volume.name;
}

std::string Kubelet::TargetPath(const InlineVolume& volume) const {
  return VolumeFolder(volume) + "/mount";
}

v1::NodePublishVolumeRequest Kubelet::PublishRequest(const InlineVolume& volume,
                                                     bool mount_group) const {
  v1::NodePublishVolumeRequest request;
  request.set_volume_id(VolumeId(volume));
  request.set_target_path(TargetPath(volume));
  request.set_readonly(volume.read_only);
  auto& capability = *request.mutable_volume_capability();
  capability.mutable_access_mode()->set_mode(v1::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
  auto& mount = *capability.mutable_mount();
  if (mount_group) mount.set_volume_mount_group(volume.fs_group);

  auto& context = *request.mutable_volume_context();
  for (const auto& [key, value] : volume.attributes) context[key] = value;
  context["csi.storage.k8s.io/ephemeral"] = "true";
  context["csi.storage.k8s.io/pod.name"] = volume.pod_name;
  context["csi.storage.k8s.io/pod.namespace"] = volume.pod_namespace;
  context["csi.storage.k8s.io/pod.uid"] = volume.pod_uid;
  context["csi.storage.k8s.io/serviceAccount.name"] = volume.service_account;
  for (const auto& [key, value] : volume.secrets) (*request.mutable_secrets())[key] = value;
  if (!volume.service_account_tokens.empty()) {
    auto& map = volume.tokens_in_secrets ? *request.mutable_secrets() : context;
    map["csi.storage.k8s.io/serviceAccount.tokens"] = volume.service_account_tokens;
  }
  return request;
}

Status Kubelet::PrepareFolder(const InlineVolume& volume) const {
  const std::string folder = VolumeFolder(volume);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return ErrnoError(error.value(), "make " + folder);
  const nlohmann::json data{{"driverName", options_.driver_name},
                            {"nodeName", options_.node_name},
                            {"specVolID", volume.name},
                            {"volumeHandle", VolumeId(volume)},
                            {"volumeLifecycleMode", "Ephemeral"}};
  return WriteFileAtomically(folder + "/vol_data.json", DumpJson(data));
}

void Kubelet::RemoveFolder(const InlineVolume& volume) const {
  // Each fails harmlessly when the driver left something mounted, which the caller then finds.
  rmdir(TargetPath(volume).c_str());
  if (access(TargetPath(volume).c_str(), F_OK) == 0) return;
  unlink((VolumeFolder(volume) + "/vol_data.json").c_str());
  rmdir(VolumeFolder(volume).c_str());
}

}  // namespace escagent::testing
