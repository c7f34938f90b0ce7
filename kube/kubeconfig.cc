#include <unistd.h>

#include <array>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/json_fields.h"
#include "base/strings.h"
#include "kube/config.h"
#include "kube/kubeconfig_files.h"

namespace escagent::kube {
namespace {

using nlohmann::json;
using Entry = KubeconfigFiles::Entry;

constexpr std::array<std::string_view, 2> kExecVersions = {"client.authentication.k8s.io/v1",
                                                           "client.authentication.k8s.io/v1beta1"};

// Reads one context's cluster and user and collects what is wrong with them. The fields are those
// of k8s.io/client-go/tools/clientcmd/api/v1.
class ContextReader {
 public:
  Config config;
  std::vector<std::string> faults;

  void ReadCluster(const std::string& name, const Entry& entry) {
    where_ = "cluster \"" + name + "\": ";
    const json& cluster = entry.value.json();
    ReadServer(StringMember(cluster, "server"));
    config.tls.server_name = StringMember(cluster, "tls-server-name");
    config.tls.insecure = Flag(cluster, "insecure-skip-tls-verify");
    config.proxy_url = StringMember(cluster, "proxy-url");
    if (!config.proxy_url.empty() && !HasScheme(config.proxy_url, {"http", "https", "socks5"})) {
      Fault("proxy-url must begin with http://, https:// or socks5://");
    }
    config.tls.ca_pem = Data(cluster, "certificate-authority-data");
    if (config.tls.ca_pem.empty()) {
      config.tls.ca_file = File(cluster, "certificate-authority", entry.folder);
    }
    if (config.tls.insecure && !(config.tls.ca_pem.empty() && config.tls.ca_file.empty())) {
      Fault("insecure-skip-tls-verify and a certificate-authority exclude each other");
    }
  }

  void ReadUser(const std::string& name, const Entry& entry) {
    where_ = "user \"" + name + "\": ";
    const json& user = entry.value.json();
    ReadRefused(user);
    ReadCertificate(user, entry.folder);
    // What rotates wins over what does not, and a token over a plugin, as in client-go.
    config.token_file = File(user, "tokenFile", entry.folder);
    std::string token = StringMember(user, "token");
    if (!token.empty() && config.token_file.empty()) {
      config.token = std::make_shared<const Secret>(std::move(token));
    }
    WipeString(token);
    if (const json& exec = Member(user, "exec"); !exec.is_null()) {
      ExecPlugin plugin = ReadExec(exec, entry.folder);
      if (config.token == nullptr && config.token_file.empty()) config.exec = std::move(plugin);
    }
  }

  void Fault(const std::string& what) { faults.push_back(where_ + what); }

 private:
  static bool HasScheme(std::string_view url, std::initializer_list<std::string_view> schemes) {
    for (const std::string_view scheme : schemes) {
      if (url.starts_with(std::string(scheme) + "://")) return true;
    }
    return false;
  }

  void ReadServer(std::string server) {
    while (server.ends_with('/')) server.pop_back();
    if (server.empty()) {
      Fault("server is missing");
    } else if (!HasScheme(server, {"http", "https"})) {
      Fault("server must begin with https://");
    } else if (server.find_first_of("?#@ ") != std::string::npos) {
      Fault("server must be an address without a query or a user");
    }
    config.server = std::move(server);
  }

  bool Flag(const json& object, std::string_view key) {
    const std::string text = StringMember(object, key);
    if (text != "true" && text != "false" && !text.empty()) {
      Fault(std::string(key) + " must be true or false");
    }
    return text == "true";
  }

  // The PEM text in base64 of a "...-data" field; empty when absent.
  std::string Data(const json& object, std::string_view key) {
    std::string text = StringMember(object, key);
    if (text.empty()) return "";
    const std::optional<Secret> pem = DecodeBase64(text);
    WipeString(text);
    if (!pem) {
      Fault(std::string(key) + " is not base64");
    } else if (pem->Reveal().find("-----BEGIN ") == std::string_view::npos) {
      Fault(std::string(key) + " is not PEM in base64");
    } else {
      return std::string(pem->Reveal());
    }
    return "";
  }

  std::string File(const json& object, std::string_view key, const std::string& folder) {
    const std::string path = StringMember(object, key);
    if (path.empty()) return "";
    // An absolute path stays as it is.
    std::string file = (std::filesystem::path(folder) / path).string();
    if (access(file.c_str(), R_OK) != 0) Fault(std::string(key) + ": cannot read " + file);
    return file;
  }

  void ReadRefused(const json& user) {
    if (!StringMember(user, "username").empty() || !StringMember(user, "password").empty()) {
      Fault(
          "username and password are not supported by API servers since 1.19; use a token or a "
          "client certificate");
    }
    if (!Member(user, "auth-provider").is_null()) {
      Fault("auth-provider is gone from Kubernetes since 1.26; use an exec plugin");
    }
    for (const std::string_view key : {"as", "as-uid", "as-groups", "as-user-extra"}) {
      if (const json& value = Member(user, key); !value.is_null() && !value.empty()) {
        Fault(std::string(key) + ": impersonation is not supported; use that user's credential");
      }
    }
  }

  void ReadCertificate(const json& user, const std::string& folder) {
    TlsOptions& tls = config.tls;
    tls.certificate_pem = Data(user, "client-certificate-data");
    if (tls.certificate_pem.empty())
      tls.certificate_file = File(user, "client-certificate", folder);
    if (std::string key = Data(user, "client-key-data"); !key.empty()) {
      tls.key_pem = std::make_shared<const Secret>(std::move(key));
    } else {
      tls.key_file = File(user, "client-key", folder);
    }
    const bool has_certificate = !tls.certificate_pem.empty() || !tls.certificate_file.empty();
    const bool has_key = tls.key_pem != nullptr || !tls.key_file.empty();
    if (has_certificate != has_key) {
      Fault(has_key ? "client-key without client-certificate"
                    : "client-certificate without client-key");
    }
  }

  ExecPlugin ReadExec(const json& exec, const std::string& folder) {
    ExecPlugin plugin;
    plugin.api_version = StringMember(exec, "apiVersion");
    plugin.command = StringMember(exec, "command");
    plugin.args = StringsMember(exec, "args");
    plugin.install_hint = StringMember(exec, "installHint");
    plugin.provide_cluster_info = Flag(exec, "provideClusterInfo");
    if (plugin.command.find('/') != std::string::npos) {
      plugin.command = (std::filesystem::path(folder) / plugin.command).string();
    }
    if (const json& variables = Member(exec, "env"); variables.is_array()) {
      for (const json& variable : variables) {
        plugin.environment.emplace_back(StringMember(variable, "name"),
                                        StringMember(variable, "value"));
      }
    }
    if (plugin.command.empty()) Fault("exec: command is missing");
    if (std::ranges::find(kExecVersions, plugin.api_version) == kExecVersions.end()) {
      Fault("exec: apiVersion must be " + Join(kExecVersions, " or "));
    }
    if (StringMember(exec, "interactiveMode") == "Always") {
      Fault(
          "exec: interactiveMode Always needs a terminal, which an agent has not; use another "
          "credential");
    }
    return plugin;
  }

  std::string where_;
};

const Entry* Find(const KubeconfigFiles::Entries& entries, std::string_view name) {
  const auto it = entries.find(name);
  return it == entries.end() ? nullptr : &it->second;
}

std::string Names(const KubeconfigFiles::Entries& entries) {
  std::vector<std::string_view> names;
  for (const auto& [name, entry] : entries) names.push_back(name);
  return names.empty() ? "there are none" : "there are " + Join(names, ", ");
}

// Fills the reader from the context called `name`.
void ReadContext(const KubeconfigFiles& files, const std::string& name, ContextReader& reader) {
  if (name.empty()) {
    reader.Fault("it has no current-context; set one (kubectl config use-context)");
    return;
  }
  const Entry* context = Find(files.contexts(), name);
  if (context == nullptr) {
    reader.Fault("no context \"" + name + "\"; " + Names(files.contexts()));
    return;
  }
  const std::string cluster = StringMember(context->value.json(), "cluster");
  const std::string user = StringMember(context->value.json(), "user");
  if (const Entry* entry = Find(files.clusters(), cluster); entry != nullptr) {
    reader.ReadCluster(cluster, *entry);
  } else {
    reader.Fault("context \"" + name + "\": no cluster \"" + cluster + "\"; " +
                 Names(files.clusters()));
  }
  if (const Entry* entry = Find(files.users(), user); entry != nullptr) {
    reader.ReadUser(user, *entry);
  } else if (!user.empty()) {
    reader.Fault("context \"" + name + "\": no user \"" + user + "\"; " + Names(files.users()));
  }
  reader.config.namespace_name = StringMember(context->value.json(), "namespace");
  if (reader.config.namespace_name.empty()) reader.config.namespace_name = "default";
}

}  // namespace

Result<Config> LoadKubeconfig(const std::string& path, const std::string& context) {
  ESC_ASSIGN_OR_RETURN(const KubeconfigFiles files, KubeconfigFiles::Read(path));
  ContextReader reader;
  ReadContext(files, context.empty() ? files.current_context() : context, reader);
  if (!reader.faults.empty()) {
    const std::vector<std::string_view> faults(reader.faults.begin(), reader.faults.end());
    return InvalidArgument("read kubeconfig " + path + ": " + Join(faults, "; "));
  }
  return std::move(reader.config);
}

}  // namespace escagent::kube
