#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "esc/environment_ref.h"
#include "esc/property_path.h"
#include "fuse/volume.h"

namespace escagent::volume {

enum class Format { kFiles, kJson, kYaml, kDotenv, kProperties };
enum class Encoding { kUtf8, kBase64 };

// Which (Cluster)SecretStore says what environment to open, and as whom.
struct StoreName {
  bool cluster = false;
  std::string name;

  // "SecretStore app" or "ClusterSecretStore app", for messages.
  std::string ToString() const;
  bool operator==(const StoreName&) const = default;
};

// The attributes `environment` with `auth: pod`: what to open with the pod's own identity.
struct PodEnvironment {
  esc::EnvironmentRef ref;
  // esc::TokenGrant::scope: empty (the organization), "team:NAME" or "user:LOGIN".
  std::string scope;

  bool operator==(const PodEnvironment&) const = default;
};

// What mounted files do when ESC refuses the identity that they are opened with.
enum class OnRevoke { kKeep, kEmpty };

// One entry of the attribute `items`: which value becomes which file.
struct Item {
  std::string path;  // ESC property path, relative to the attribute `path`; valid
  std::string file;  // relative, may hold folders; valid
  std::optional<mode_t> mode;
  Encoding encoding = Encoding::kUtf8;

  bool operator==(const Item&) const = default;
};

// The volumeAttributes of a pod's CSI volume (design.md section 6), checked.
struct VolumeAttributes {
  // Without `pod_environment`.
  StoreName store;
  std::optional<PodEnvironment> pod_environment;
  std::string path;  // ESC property path of what to mount; valid, "" is everything
  Format format = Format::kFiles;
  // The one file of the formats other than files. By default values.json, values.yaml, .env and
  // values.properties.
  std::string file_name;
  // When not empty (only with Format::kFiles), these files are shown and nothing else.
  std::vector<Item> items;
  mode_t mode = 0444;
  // 0755, without what is of no use: group or others when no file of the volume is readable for
  // them. With an fsGroup, the group can always go through.
  mode_t folder_mode = 0755;
  uid_t uid = 0;
  gid_t gid = 0;
  std::optional<std::chrono::milliseconds> refresh_interval;
  bool optional = false;
  fuse::Backend backend = fuse::Backend::kFuse;
  // Of no meaning with Backend::kTmpfs.
  fuse::CacheProfile cache = fuse::CacheProfile::kPage;

  OnRevoke on_revoke = OnRevoke::kKeep;

  // The Kubernetes Secret that is to hold the same values, in the pod's namespace; empty: none.
  std::string mirror_to;

  bool operator==(const VolumeAttributes&) const = default;
};

// Checks and reads the attributes. `volume_mount_group` is the pod's fsGroup (empty: none): it is
// the files' group and makes 0440 the default mode. An explicit `gid` or `mode` attribute wins over
// it, being the more specific wish.
//
// INVALID_ARGUMENT lists everything that is wrong at once, each with the attribute's name and what
// is allowed.
Result<VolumeAttributes> ParseVolumeAttributes(const std::map<std::string, std::string>& attributes,
                                               std::string_view volume_mount_group);

}  // namespace escagent::volume
