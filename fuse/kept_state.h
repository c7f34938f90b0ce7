#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/volume.h"

namespace escagent::fuse {

// What a KeptMounter keeps of a volume beside what it shows.
struct KeptState {
  std::string selinux_context;
  std::string metadata;  // MountOptions::metadata

  static KeptState Of(const MountOptions& options) {
    return {.selinux_context = options.selinux_context, .metadata = options.metadata};
  }
  // A line with the format's version, one with the context, and the metadata.
  std::string Encode() const;
  // INVALID_ARGUMENT when it is nothing that Encode returned.
  static Result<KeptState> Decode(std::string_view text);
  static Result<KeptState> Read(const UniqueFd& memfd);
};

}  // namespace escagent::fuse
