#include "kube/exec_token.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/duration.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_fields.h"
#include "base/rfc3339.h"
#include "base/strings.h"
#include "kube/message_text.h"

namespace escagent::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxPluginMessage = 400;
constexpr std::size_t kMaxCa = std::size_t{1} << 20;
// A token is replaced so long before its end, or a quarter of its life where that is shorter.
constexpr std::chrono::seconds kMargin{30};

json ClusterInfo(const Config& config) {
  json cluster = {{"server", config.server}};
  if (!config.tls.server_name.empty()) cluster["tls-server-name"] = config.tls.server_name;
  if (config.tls.insecure) cluster["insecure-skip-tls-verify"] = true;
  if (!config.proxy_url.empty()) cluster["proxy-url"] = config.proxy_url;
  std::string ca = config.tls.ca_pem;
  if (ca.empty() && !config.tls.ca_file.empty()) {
    // One that cannot be read is the connection's error to tell.
    if (const Result<Secret> file = ReadFile(config.tls.ca_file, kMaxCa); file) {
      ca = file->Reveal();
    }
  }
  if (!ca.empty()) {
    SecretBuilder text;
    EncodeBase64(ca, text);
    cluster["certificate-authority-data"] = text.Reveal();
  }
  return cluster;
}

// The last part of a plugin's messages, where the cause is, from the beginning of a character on.
std::string_view EndOf(std::string_view text) {
  if (text.size() <= kMaxPluginMessage) return text;
  text.remove_prefix(text.size() - kMaxPluginMessage);
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xC0U) == 0x80U) {
    text.remove_prefix(1);
  }
  return text;
}

ChildProgram ProgramOf(const ExecPlugin& plugin, const Config& config) {
  json info = {{"apiVersion", plugin.api_version},
               {"kind", "ExecCredential"},
               {"spec", {{"interactive", false}}}};
  if (plugin.provide_cluster_info) info["spec"]["cluster"] = ClusterInfo(config);
  ChildProgram program;
  program.command = plugin.command;
  program.arguments = plugin.args;
  program.environment = plugin.environment;
  program.environment.emplace_back("KUBERNETES_EXEC_INFO", DumpJson(info));
  return program;
}

}  // namespace

ExecToken::ExecToken(const ExecPlugin& plugin, const Config& config, Clock& clock)
    : plugin_(plugin),
      program_(ProgramOf(plugin, config)),
      clock_(clock),
      next_run_(clock.Now()),
      backoff_({}, std::random_device()()) {}

bool ExecToken::IsExpired() const {
  return credential_.expires && clock_.WallNow() >= *credential_.expires;
}

bool ExecToken::IsSettled() const {
  if (clock_.Now() < next_run_) return true;
  const bool due = renew_at_ && clock_.WallNow() >= *renew_at_;
  return !wanted_ && !due;
}

Result<std::shared_ptr<const Secret>> ExecToken::Current() const {
  if (credential_.token != nullptr && !IsExpired()) return credential_.token;
  if (failure_) return std::unexpected(*failure_);
  return Fail("its token has expired");
}

Result<std::shared_ptr<const Secret>> ExecToken::Get(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  });
  {
    MutexLock lock(mutex_);
    while (running_ && !stop.stop_requested()) changed_.Wait(mutex_);
    if (stop.stop_requested()) return MakeError(Code::kCancelled, "run exec plugin: stopped");
    if (IsSettled()) return Current();
    running_ = true;
  }
  Result<Credential> credential = Run(stop);
  MutexLock lock(mutex_);
  running_ = false;
  changed_.NotifyAll();
  // That we were stopped says nothing about the plugin.
  if (!credential && credential.error().code == Code::kCancelled) {
    return std::unexpected(std::move(credential).error());
  }
  Take(std::move(credential));
  return Current();
}

void ExecToken::Take(Result<Credential> credential) {
  if (!credential) {
    failure_ = std::move(credential).error();
    next_run_ = clock_.Now() + backoff_.Next();
    return;
  }
  const bool same =
      wanted_ && credential_.token != nullptr && credential_.token->Equals(*credential->token);
  failure_.reset();
  wanted_ = false;
  credential_ = *std::move(credential);
  renew_at_.reset();
  if (credential_.expires) {
    const auto life = *credential_.expires - clock_.WallNow();
    renew_at_ = *credential_.expires - std::min<Clock::WallTime::duration>(kMargin, life / 4);
  }
  // The plugin insists on a token that the server refuses: do not ask it for each call.
  if (same) {
    next_run_ = clock_.Now() + backoff_.Next();
  } else {
    backoff_.Reset();
  }
}

void ExecToken::Refused(const std::shared_ptr<const Secret>& token) {
  MutexLock lock(mutex_);
  if (token == credential_.token) wanted_ = true;
}

std::unexpected<Error> ExecToken::Fail(const std::string& cause) const {
  std::string message =
      "get a token for the API server from the exec plugin " + plugin_.command + ": " + cause;
  if (!plugin_.install_hint.empty()) message += "; " + PlainText(plugin_.install_hint, 200);
  return MakeError(Code::kUnauthenticated, std::move(message));
}

Result<ExecToken::Credential> ExecToken::Run(const std::stop_token& stop) const {
  Result<ChildResult> result = RunChild(program_, stop);
  if (!result && result.error().code == Code::kCancelled) {
    return std::unexpected(std::move(result).error());
  }
  if (!result) return Fail(result.error().message);
  if (result->exit_code != 0) {
    return Fail("it failed with exit code " + std::to_string(result->exit_code) + ": " +
                PlainText(EndOf(result->errors), kMaxPluginMessage));
  }
  return Read(result->output);
}

Result<ExecToken::Credential> ExecToken::Read(const Secret& text) const {
  Result<json> document = ParseJson(text.Reveal(), "its output");
  if (!document) return Fail(document.error().message);
  const json& status = Member(*document, "status");
  std::string token = StringMember(status, "token");
  const std::string expires = StringMember(status, "expirationTimestamp");
  const bool has_certificate = Member(status, "clientCertificateData").is_string();
  const std::string kind = StringMember(*document, "kind");
  const std::string version = StringMember(*document, "apiVersion");
  Scrub(*document);

  if (kind != "ExecCredential" || version != plugin_.api_version) {
    return Fail("it did not print an ExecCredential of " + plugin_.api_version);
  }
  if (token.empty() && has_certificate) {
    return Fail(
        "it gives a client certificate, which is not supported; use a plugin that gives "
        "a token, or client-certificate in the kubeconfig");
  }
  if (token.empty()) return Fail("its ExecCredential has no status.token");
  Credential credential;
  credential.token = std::make_shared<const Secret>(std::move(token));
  if (expires.empty()) return credential;
  credential.expires = ParseRfc3339(expires);
  if (!credential.expires) return Fail("its expirationTimestamp is not a time of RFC 3339");
  if (*credential.expires <= clock_.WallNow()) {
    return Fail("its token has expired already, at " + FormatTime(*credential.expires) +
                "; check this machine's clock");
  }
  return credential;
}

}  // namespace escagent::kube
