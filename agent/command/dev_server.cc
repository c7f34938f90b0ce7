#include "agent/command/dev_server.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/command/flags.h"
#include "agent/command/output.h"
#include "agent/command/signals.h"
#include "base/file.h"
#include "base/listen_address.h"
#include "base/strings.h"
#include "esc/devserver/server.h"

namespace escagent::command {
namespace {

std::vector<Flag> DevServerFlags() {
  return {
      {.name = "definitions",
       .help = "folder with the definitions, DIR/org/project/env.yaml",
       .fallback = ""},
      {.name = "listen",
       .help = "HOST:PORT; port 0 takes a free one",
       .fallback = "127.0.0.1:8080"},
      {.name = "token",
       .help = "the only access token that is accepted, beside issued ones; any when unset. Other "
               "users of this machine see a command line: prefer the variable",
       .fallback = ""},
      {.name = "compat-status",
       .help = "204, or 200 for SDKs that want 200 where ESC answers 204",
       .fallback = "204"},
      {.name = "webhook",
       .help = "URL that is told of what happens to every environment, as ESC's webhooks are",
       .fallback = ""},
      {.name = "webhook-secret-file",
       .help = "file with the key of the webhook's signatures",
       .fallback = ""},
      {.name = "oidc-issuer",
       .help = "the issuer (claim iss) whose OIDC tokens are exchanged for access tokens at "
               "/api/oauth/token; only such tokens are accepted then, and --token",
       .fallback = ""},
      {.name = "oidc-jwks",
       .help = "file with the JWK set of --oidc-issuer, as kubectl get --raw /openid/v1/jwks "
               "prints it",
       .fallback = ""},
      {.name = "oidc-policy",
       .help = "file with authorization policies (docs/dev-server.md); everybody with a token of "
               "the issuer is let in when unset",
       .fallback = ""},
      {.name = "oidc-max-expiration",
       .help = "the longest life of an access token",
       .fallback = "25h"},
      {.name = "provider-files",
       .help = "let fn::open::file read the files below this folder",
       .fallback = ""},
      {.name = "allow-env",
       .help = "let fn::open::env read these variables of the environment; names with commas",
       .fallback = ""},
      {.name = "allow-exec",
       .help = "let fn::open::exec run programs: whoever may write a definition then runs anything",
       .fallback = "false",
       .is_switch = true},
  };
}

std::optional<devserver::OidcOptions> OidcFrom(FlagSet& flags) {
  const auto longest = flags.Duration("oidc-max-expiration", std::chrono::seconds(1));
  if (flags.Has("oidc-issuer") != flags.Has("oidc-jwks")) {
    flags.AddError("--oidc-issuer, --oidc-jwks: both are needed, or none");
  }
  if (flags.Has("oidc-policy") && !flags.Has("oidc-issuer")) {
    flags.AddError("--oidc-policy: needs --oidc-issuer and --oidc-jwks");
  }
  if (!flags.Has("oidc-issuer")) return std::nullopt;
  return devserver::OidcOptions{
      .issuer = flags.Text("oidc-issuer"),
      .jwks_file = flags.Text("oidc-jwks"),
      .policy_file = flags.Text("oidc-policy"),
      .max_lifetime = std::chrono::duration_cast<std::chrono::seconds>(longest)};
}

std::optional<devserver::Webhook> WebhookFrom(FlagSet& flags) {
  const std::string& url = flags.Text("webhook");
  const std::string& file = flags.Text("webhook-secret-file");
  if (url.empty()) {
    if (!file.empty()) flags.AddError("--webhook-secret-file: needs --webhook");
    return std::nullopt;
  }
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    flags.AddError("--webhook: must be an http or https URL");
  }
  devserver::Webhook webhook{.url = url};
  if (!file.empty()) {
    const auto key = ReadFile(file);
    if (!key) {
      flags.AddError("--webhook-secret-file: " + key.error().message);
      return std::nullopt;
    }
    std::string_view text = key->Reveal();
    while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
    webhook.secret = std::make_shared<const Secret>(text);
  }
  return webhook;
}

eval::LocalProviderOptions ProvidersFrom(FlagSet& flags) {
  eval::LocalProviderOptions providers;
  providers.files = flags.Text("provider-files");
  providers.allow_exec = flags.Switch("allow-exec");
  for (const std::string_view name : Split(flags.Text("allow-env"), ',')) {
    if (!name.empty()) providers.allow_env.emplace(name);
  }
  return providers;
}

int DevServer(FlagSet& flags) {
  flags.Resolve();
  if (!flags.Has("definitions")) flags.AddError("--definitions: must name a folder");
  if (const auto address = ListenAddress::Parse(flags.Text("listen")); !address) {
    flags.AddError("--listen: " + address.error().message);
  }
  auto oidc = OidcFrom(flags);
  auto webhook = WebhookFrom(flags);
  eval::LocalProviderOptions providers = ProvidersFrom(flags);
  const std::string done_status = flags.OneOf("compat-status", {"200", "204"});
  if (const int code = ReportUsage(flags); code != kDone) return code;

  Signals::Block();
  devserver::Server::Options options;
  options.definitions_dir = flags.Text("definitions");
  options.listen = flags.Text("listen");
  if (flags.Has("token")) options.token = Secret(std::string_view(flags.Text("token")));
  options.oidc = std::move(oidc);
  options.webhook = std::move(webhook);
  options.providers = std::move(providers);
  options.answer_200 = done_status == "200";
  const auto server = devserver::Server::Start(std::move(options));
  if (!server) return Fail(server.error());
  Print("ESC dev server at " + (*server)->url() + ", serving " + flags.Text("definitions") +
        "\nnot for production: values travel unencrypted; Ctrl-C ends it\n");
  Signals::Wait();
  return kDone;
}

}  // namespace

void AddDevServer(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "dev-server", "Offline server that speaks ESC's REST API; edits on disk are new revisions");
  auto flags = std::make_shared<FlagSet>(*command, DevServerFlags());
  command->callback([flags, &exit_code] { exit_code = DevServer(*flags); });
}

}  // namespace escagent::command
