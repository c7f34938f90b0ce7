#include "agent/command/mount.h"

#include <sys/eventfd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "agent/cache/environment_cache.h"
#include "agent/command/credentials.h"
#include "agent/command/flags.h"
#include "agent/command/output.h"
#include "agent/command/signals.h"
#include "agent/volume/renderer.h"
#include "agent/volume/volume_attributes.h"
#include "base/clock.h"
#include "base/curl_transport.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "base/version.h"
#include "esc/client.h"
#include "fuse/fuse_mounter.h"

namespace escagent::command {
namespace {

std::vector<Flag> MountFlags() {
  return {
      {.name = "path", .help = "ESC property path of the part to mount", .fallback = ""},
      {.name = "format", .help = "files, json, yaml, dotenv or properties", .fallback = "files"},
      {.name = "file-name", .help = "the file's name in a single-file format", .fallback = ""},
      {.name = "mode", .help = "octal mode of the files", .fallback = "0400"},
      {.name = "refresh-interval", .help = "how often to look for changes", .fallback = "10s"},
      {.name = "esc-url",
       .help = "Pulumi's API; by default the one logged in to",
       .fallback = "",
       .environment = {"PULUMI_BACKEND_URL"}},
      {.name = "esc-ca-file",
       .help = "PEM file with the CA of a self-hosted backend",
       .fallback = ""},
      {.name = "allow-plain-http",
       .help = "allow http:// backends other than loopback",
       .fallback = "false",
       .is_switch = true},
      {.name = "token-file",
       .help = "file with the access token (default: $PULUMI_ACCESS_TOKEN, then `pulumi login`)",
       .fallback = ""},
  };
}

struct MountArguments {
  std::string environment;
  std::string folder;
};

std::string CountedFiles(const fuse::VolumeSpec& spec) {
  const std::size_t count = spec.files.size();
  return std::to_string(count) + (count == 1 ? " file" : " files");
}

// One mounted environment: subscribes, mounts, and shows what changes until a signal comes.
class Session {
 public:
  Session(esc::EnvironmentRef ref, volume::VolumeAttributes attributes, std::string folder)
      : ref_(std::move(ref)), attributes_(std::move(attributes)), folder_(std::move(folder)) {}

  Status Run(cache::EnvironmentCache& cache, fuse::Mounter& mounter,
             cache::EnvironmentCache::Request request) {
    const UniqueFd changed(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!changed) return ErrnoError(errno, "create eventfd");
    request.on_change = [fd = changed.Get()] { eventfd_write(fd, 1); };

    Print("opening " + ref_.ToString() + " at " + request.key.backend + "\n");
    ESC_ASSIGN_OR_RETURN(const cache::Subscription subscription, cache.Subscribe(request));
    shown_ = subscription.Status().snapshot;
    ESC_ASSIGN_OR_RETURN(const fuse::VolumeSpec spec, volume::Render(shown_, attributes_));
    fuse::MountOptions options;
    options.mountpoint = folder_;
    options.cache = attributes_.cache;
    ESC_ASSIGN_OR_RETURN(const auto mounted, mounter.Mount(options, spec));
    Print("mounted " + CountedFiles(spec) + Revision(subscription) + " at " + folder_ +
          "; looking for changes every " + FormatDuration(*request.interval) +
          "; Ctrl-C unmounts\n");
    while (Signals::WaitOr(changed.Get()) == 0) {
      eventfd_t ignored = 0;
      eventfd_read(changed.Get(), &ignored);
      Show(subscription, *mounted);
    }
    Print("unmounting " + folder_ + "\n");
    return mounted->Unmount();
  }

 private:
  static std::string Revision(const cache::Subscription& subscription) {
    const std::string revision = subscription.Status().revision;
    return revision.empty() ? "" : " of revision " + revision;
  }

  void Show(const cache::Subscription& subscription, fuse::MountedVolume& mounted) {
    const cache::EnvironmentStatus status = subscription.Status();
    if (status.last_error) {
      Print("the last values stay: " + status.last_error->message + "\n");
      return;
    }
    if (status.snapshot == shown_) return;
    shown_ = status.snapshot;
    Result<fuse::VolumeSpec> spec = volume::Render(shown_, attributes_);
    const escagent::Status published =
        spec ? mounted.Publish(*spec) : escagent::Status(std::unexpected(spec.error()));
    Print(published ? "now showing " + CountedFiles(*spec) + Revision(subscription) + "\n"
                    : "the last values stay: " + published.error().message + "\n");
  }

  const esc::EnvironmentRef ref_;
  const volume::VolumeAttributes attributes_;
  const std::string folder_;
  std::shared_ptr<const cache::Snapshot> shown_;
};

// The volume's attributes from the flags, read by the same parser as a pod's.
Result<volume::VolumeAttributes> Attributes(const FlagSet& flags) {
  std::map<std::string, std::string> attributes = {
      {"secretStore", "workstation"},
      {"path", flags.Text("path")},
      {"format", flags.Text("format")},
      {"mode", flags.Text("mode")},
      {"uid", std::to_string(getuid())},
      {"gid", std::to_string(getgid())},
      {"refreshInterval", flags.Text("refresh-interval")},
  };
  if (flags.Has("file-name")) attributes["fileName"] = flags.Text("file-name");
  return volume::ParseVolumeAttributes(attributes, "");
}

int Mount(FlagSet& flags, const MountArguments& arguments) {
  flags.Resolve();
  const auto ref = esc::EnvironmentRef::Parse(arguments.environment);
  if (!ref) flags.AddError(ref.error().message);
  const auto attributes = Attributes(flags);
  if (!attributes) flags.AddError(attributes.error().message);
  std::error_code error;
  const std::string folder = std::filesystem::canonical(arguments.folder, error).string();
  if (error || !std::filesystem::is_directory(folder, error)) {
    flags.AddError("DIR: \"" + arguments.folder + "\" is not a folder; create it first");
  }
  const bool allow_plain_http = flags.Switch("allow-plain-http");
  if (const int code = ReportUsage(flags); code != kDone) return code;

  // What happens is printed in plain words instead.
  SetLogLevel(LogLevel::kOff);
  ProtectProcessMemory();
  Signals::Block();
  auto credentials = FindCredentials(flags.Text("esc-url"), flags.Text("token-file"));
  if (!credentials) return Fail(credentials.error());
  SystemClock clock;
  CurlTransport transport({.user_agent = "esc-agent/" + std::string(kVersion),
                           .tls = {.ca_file = flags.Text("esc-ca-file")},
                           .allow_plain_http = allow_plain_http});
  const auto token = std::make_shared<const Secret>(std::move(credentials->token));
  cache::EnvironmentCache cache({}, clock);
  auto mounter = fuse::FuseMounter::Create({});
  if (!mounter) return Fail(mounter.error());
  cache::EnvironmentCache::Request request;
  request.key = {.backend = credentials->esc_url, .ref = *ref, .identity = "workstation"};
  request.interval = attributes->refresh_interval;
  request.api = std::make_shared<esc::Client>(
      esc::Client::Options{.api_url = credentials->esc_url, .token = token}, transport, clock);
  const escagent::Status status =
      Session(*ref, *attributes, folder).Run(cache, **mounter, std::move(request));
  return status ? kDone : Fail(status.error());
}

}  // namespace

void AddMount(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "mount", "Mount one environment on this machine, no Kubernetes; Ctrl-C unmounts");
  auto arguments = std::make_shared<MountArguments>();
  command->add_option("environment", arguments->environment, "ORG/PROJECT/ENV[@VERSION]")
      ->required();
  command->add_option("dir", arguments->folder, "Where to mount; an existing folder")->required();
  auto flags = std::make_shared<FlagSet>(*command, MountFlags());
  command->callback([flags, arguments, &exit_code] { exit_code = Mount(*flags, *arguments); });
}

}  // namespace escagent::command
