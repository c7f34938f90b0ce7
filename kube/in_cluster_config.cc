#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "base/file.h"
#include "kube/config.h"

namespace escagent::kube {
namespace {

constexpr std::string_view kAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::size_t kMaxFile = std::size_t{1} << 20;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The error is about what the pod lacks, whatever the file's is.
Result<std::string> ReadAccountFile(const std::string& path) {
  const Result<Secret> text = ReadFile(path, kMaxFile);
  if (!text) {
    return FailedPrecondition(
        "read the pod's Kubernetes configuration: " + text.error().message +
        "; mount the service account's token (automountServiceAccountToken), or give a kubeconfig");
  }
  return std::string(text->Reveal());
}

}  // namespace

Result<Config> InClusterConfig(const std::string& account_dir) {
  std::string host = Environment("KUBERNETES_SERVICE_HOST");
  const std::string port = Environment("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return FailedPrecondition(
        "read the pod's Kubernetes configuration: KUBERNETES_SERVICE_HOST and "
        "KUBERNETES_SERVICE_PORT are not set, so this is no pod; give a kubeconfig");
  }
  if (host.find(':') != std::string::npos && !host.starts_with('[')) host = "[" + host + "]";
  const std::string dir = account_dir.empty() ? std::string(kAccountDir) : account_dir;

  Config config;
  config.server = "https://" + host + ":" + port;
  config.tls.ca_file = dir + "/ca.crt";
  config.token_file = dir + "/token";
  ESC_RETURN_IF_ERROR(ReadAccountFile(config.tls.ca_file));
  Result<std::string> token = ReadAccountFile(config.token_file);
  if (!token) return std::unexpected(std::move(token).error());
  WipeString(*token);
  if (const auto name = ReadAccountFile(dir + "/namespace"); name) config.namespace_name = *name;
  while (config.namespace_name.ends_with('\n')) config.namespace_name.pop_back();
  if (config.namespace_name.empty()) config.namespace_name = "default";
  return config;
}

}  // namespace escagent::kube
