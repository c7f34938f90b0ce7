#include "agent/volume/volume_attributes.h"

#include <algorithm>
#include <array>

#include "agent/volume/attribute_values.h"
#include "agent/volume/file_name.h"
#include "agent/volume/item_list.h"
#include "base/duration.h"

namespace escagent::volume {
namespace {

constexpr std::chrono::milliseconds kShortestInterval = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kLongestInterval = std::chrono::hours(24);

constexpr std::array<std::string_view, 18> kKnown = {"secretStore", "clusterSecretStore",
                                                     "path",        "format",
                                                     "fileName",    "items",
                                                     "mode",        "uid",
                                                     "gid",         "cache",
                                                     "backend",     "refreshInterval",
                                                     "optional",    "mirrorTo",
                                                     "auth",        "authScope",
                                                     "onRevoke",    "environment"};

constexpr std::array<std::pair<std::string_view, Format>, 5> kFormats = {
    {{"files", Format::kFiles},
     {"json", Format::kJson},
     {"yaml", Format::kYaml},
     {"dotenv", Format::kDotenv},
     {"properties", Format::kProperties}}};

constexpr std::array<std::pair<std::string_view, fuse::CacheProfile>, 3> kCacheProfiles = {
    {{"none", fuse::CacheProfile::kNone},
     {"page", fuse::CacheProfile::kPage},
     {"full", fuse::CacheProfile::kFull}}};

constexpr std::array<std::pair<std::string_view, OnRevoke>, 2> kOnRevoke = {
    {{"keep", OnRevoke::kKeep}, {"empty", OnRevoke::kEmpty}}};

constexpr std::array<std::pair<std::string_view, fuse::Backend>, 2> kBackends = {
    {{"fuse", fuse::Backend::kFuse}, {"tmpfs", fuse::Backend::kTmpfs}}};

std::string DefaultFileName(Format format) {
  switch (format) {
    case Format::kFiles:
      return "";
    case Format::kJson:
      return "values.json";
    case Format::kYaml:
      return "values.yaml";
    case Format::kDotenv:
      return ".env";
    case Format::kProperties:
      return "values.properties";
  }
  return "";
}

// Reads one request's attributes and collects everything that is wrong with them.
class Reader {
 public:
  Reader(const std::map<std::string, std::string>& attributes, std::string_view mount_group)
      : attributes_(attributes), mount_group_(mount_group) {}

  Result<VolumeAttributes> Read() {
    CheckNames();
    ReadSource();
    ReadContent();
    ReadOwnership();
    ReadRefresh();
    ReadBackend();
    ReadMirror();
    if (errors_.empty()) {
      SetFolderMode();
      return std::move(result_);
    }
    std::string message = "volumeAttributes: ";
    for (std::size_t i = 0; i < errors_.size(); ++i) {
      if (i > 0) message += "; ";
      message += errors_[i];
    }
    return InvalidArgument(std::move(message));
  }

 private:
  // Null when the attribute is not given.
  const std::string* Find(const std::string& name) const {
    const auto it = attributes_.find(name);
    return it == attributes_.end() ? nullptr : &it->second;
  }

  template <class T>
  std::optional<T> Take(Result<T> result) {
    if (result) return *std::move(result);
    errors_.push_back(std::move(result.error().message));
    return std::nullopt;
  }

  void CheckNames() {
    for (const auto& [name, value] : attributes_) {
      if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
        errors_.push_back("unknown attribute " + QuoteForMessage(name) + DidYouMean(name, kKnown));
      }
    }
  }

  void ReadSource() {
    if (const std::string* const environment = Find("environment")) {
      return ReadPodEnvironment(*environment);
    }
    for (const char* name : {"auth", "authScope"}) {
      if (Find(name) != nullptr) {
        errors_.push_back(std::string(name) + ": only with environment: organization/project/env");
      }
    }
    ReadStore();
  }

  void ReadPodEnvironment(const std::string& environment) {
    PodEnvironment& pod = result_.pod_environment.emplace();
    if (Find("secretStore") != nullptr || Find("clusterSecretStore") != nullptr) {
      errors_.emplace_back(
          "environment: not together with secretStore or clusterSecretStore, which name the "
          "environment and the token to open it with");
    }
    const std::string* const auth = Find("auth");
    if (auth == nullptr) {
      errors_.emplace_back(
          "environment: needs auth: pod, to open it with the pod's own identity; or use "
          "secretStore or clusterSecretStore instead");
    } else if (*auth != "pod") {
      errors_.push_back("auth: must be pod" + GotForMessage(*auth));
    }
    Result<esc::EnvironmentRef> ref = esc::EnvironmentRef::Parse(environment);
    if (ref) {
      pod.ref = *std::move(ref);
    } else {
      errors_.push_back("environment: " + ref.error().message);
    }
    if (const std::string* const scope = Find("authScope")) ReadAuthScope(*scope, pod.scope);
  }

  void ReadAuthScope(const std::string& text, std::string& scope) {
    constexpr std::size_t kPrefix = 5;  // of both
    const bool named = text.starts_with("team:") || text.starts_with("user:");
    const bool good = named && text.size() > kPrefix &&
                      std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
    if (good) {
      scope = text;
    } else if (text != "organization") {
      errors_.push_back("authScope: must be organization, team:NAME or user:LOGIN" +
                        GotForMessage(text));
    }
  }

  void ReadStore() {
    const std::string* const store = Find("secretStore");
    const std::string* const cluster_store = Find("clusterSecretStore");
    if ((store == nullptr) == (cluster_store == nullptr)) {
      errors_.emplace_back(
          "exactly one of secretStore and clusterSecretStore is required, the name of a store with "
          "provider pulumi; or environment with auth: pod");
      return;
    }
    result_.store.cluster = cluster_store != nullptr;
    result_.store.name = result_.store.cluster ? *cluster_store : *store;
    if (result_.store.name.empty()) {
      errors_.push_back(std::string(result_.store.cluster ? "clusterSecretStore" : "secretStore") +
                        ": must be the name of a store");
    }
  }

  void ReadContent() {
    if (const std::string* const path = Find("path")) {
      result_.path = *path;
      if (const Status valid = ValidatePropertyPath(*path, "path"); !valid) {
        errors_.push_back(valid.error().message);
      }
    }
    if (const std::string* const format = Find("format")) {
      const std::optional<Format> parsed = Take(ParseChoice<Format>(*format, "format", kFormats));
      if (!parsed) return;
      result_.format = *parsed;
    }
    result_.file_name = DefaultFileName(result_.format);
    if (const std::string* const file_name = Find("fileName")) {
      result_.file_name = *file_name;
      if (result_.format == Format::kFiles) {
        errors_.emplace_back("fileName: only with format json, yaml, dotenv or properties");
      } else if (const Status valid = ValidateFilePath(*file_name); !valid) {
        errors_.push_back("fileName: " + valid.error().message);
      }
    }
    if (const std::string* const items = Find("items")) {
      if (result_.format != Format::kFiles) errors_.emplace_back("items: only with format files");
      result_.items = ParseItemList(*items, errors_);
    }
  }

  void ReadOwnership() {
    if (!mount_group_.empty()) {
      if (const auto group = Take(ParseId(mount_group_, "fsGroup"))) result_.gid = *group;
      result_.mode = 0440;
    }
    if (const std::string* const mode = Find("mode")) {
      result_.mode = Take(ParseMode(*mode, "mode")).value_or(0);
    }
    if (const std::string* const uid = Find("uid")) {
      result_.uid = Take(ParseId(*uid, "uid")).value_or(0);
    }
    if (const std::string* const gid = Find("gid")) {
      result_.gid = Take(ParseId(*gid, "gid")).value_or(0);
    }
  }

  void ReadRefresh() {
    if (const std::string* const on_revoke = Find("onRevoke")) {
      result_.on_revoke =
          Take(ParseChoice<OnRevoke>(*on_revoke, "onRevoke", kOnRevoke)).value_or(OnRevoke::kKeep);
    }
    if (const std::string* const interval = Find("refreshInterval")) {
      const Result<std::chrono::milliseconds> parsed = ParseDuration(*interval, "refreshInterval");
      if (!parsed || *parsed < kShortestInterval || *parsed > kLongestInterval) {
        errors_.push_back("refreshInterval: must be a duration from 1s to 24h, as 10s or 1m30s" +
                          GotForMessage(*interval));
      } else {
        result_.refresh_interval = *parsed;
      }
    }
    if (const std::string* const optional = Find("optional")) {
      result_.optional = Take(ParseBool(*optional, "optional")).value_or(false);
    }
  }

  void ReadBackend() {
    if (const std::string* const backend = Find("backend")) {
      result_.backend = Take(ParseChoice<fuse::Backend>(*backend, "backend", kBackends))
                            .value_or(fuse::Backend::kFuse);
    }
    if (const std::string* const cache = Find("cache")) {
      result_.cache = Take(ParseChoice<fuse::CacheProfile>(*cache, "cache", kCacheProfiles))
                          .value_or(fuse::CacheProfile::kPage);
      if (result_.backend == fuse::Backend::kTmpfs) {
        errors_.emplace_back(
            "cache: only with backend fuse; pods read a tmpfs without an agent in between that "
            "could "
            "be asked");
      }
    }
  }

  void ReadMirror() {
    const std::string* const name = Find("mirrorTo");
    if (name == nullptr) return;
    result_.mirror_to = *name;
    if (const Status valid = ValidateObjectName(*name, "mirrorTo"); !valid) {
      errors_.push_back(valid.error().message);
    }
  }

  void SetFolderMode() {
    mode_t used = result_.mode;
    for (const Item& item : result_.items) used |= item.mode.value_or(0);
    result_.folder_mode = 0700;
    if ((used & 0070) != 0 || !mount_group_.empty()) result_.folder_mode |= 0050;
    if ((used & 0007) != 0) result_.folder_mode |= 0005;
  }

  const std::map<std::string, std::string>& attributes_;
  const std::string_view mount_group_;
  VolumeAttributes result_;
  std::vector<std::string> errors_;
};

}  // namespace

std::string StoreName::ToString() const {
  return (cluster ? "ClusterSecretStore " : "SecretStore ") + name;
}

Result<VolumeAttributes> ParseVolumeAttributes(const std::map<std::string, std::string>& attributes,
                                               std::string_view volume_mount_group) {
  return Reader(attributes, volume_mount_group).Read();
}

}  // namespace escagent::volume
