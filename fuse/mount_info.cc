#include "fuse/mount_info.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/strings.h"

namespace escagent::fuse {
namespace {

// 500 volumes on a busy node make about 1 MiB.
constexpr std::size_t kMaxMountInfo = std::size_t{64} << 20;

template <class T>
bool ParseNumber(std::string_view text, T& out) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end && !text.empty();
}

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

std::string Unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) && IsOctal(text[i + 2]) &&
        IsOctal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// 36 35 98:0 /root /mountpoint rw,noatime master:1 - ext3 /dev/root rw,errors=continue
std::optional<MountInfo> ParseLine(std::string_view line) {
  const std::vector<std::string_view> fields = Split(line, ' ');
  const auto separator = std::ranges::find(fields, "-");
  if (separator - fields.begin() < 6 || fields.end() - separator < 4) return std::nullopt;

  MountInfo mount;
  const std::size_t colon = fields[2].find(':');
  if (colon == std::string_view::npos || !ParseNumber(fields[0], mount.id) ||
      !ParseNumber(fields[1], mount.parent_id) ||
      !ParseNumber(fields[2].substr(0, colon), mount.device_major) ||
      !ParseNumber(fields[2].substr(colon + 1), mount.device_minor)) {
    return std::nullopt;
  }
  mount.root = Unescape(fields[3]);
  mount.mountpoint = Unescape(fields[4]);
  mount.options = std::string(fields[5]);
  mount.propagation =
      Join({fields.data() + 6, static_cast<std::size_t>(separator - fields.begin() - 6)}, " ");
  mount.fs_type = Unescape(separator[1]);
  mount.source = Unescape(separator[2]);
  mount.super_options = Unescape(separator[3]);
  return mount;
}

}  // namespace

std::vector<MountInfo> ParseMountInfo(std::string_view text) {
  std::vector<MountInfo> mounts;
  for (const std::string_view line : Split(text, '\n')) {
    if (std::optional<MountInfo> mount = ParseLine(line)) mounts.push_back(*std::move(mount));
  }
  return mounts;
}

Result<std::vector<MountInfo>> ReadMountInfo() {
  ESC_ASSIGN_OR_RETURN(const Secret text, ReadFile("/proc/self/mountinfo", kMaxMountInfo));
  return ParseMountInfo(text.Reveal());
}

std::vector<MountInfo> LayersAt(const std::vector<MountInfo>& mounts, std::string_view mountpoint) {
  std::vector<MountInfo> layers;
  std::ranges::copy_if(mounts, std::back_inserter(layers), [mountpoint](const MountInfo& mount) {
    return mount.mountpoint == mountpoint;
  });
  // The lines come in no promised order; a layer's parent is the layer below it.
  for (std::size_t next = 0; next + 1 < layers.size(); ++next) {
    const auto rest = layers.begin() + static_cast<std::ptrdiff_t>(next);
    const auto lowest = std::find_if(rest, layers.end(), [&](const MountInfo& mount) {
      return std::none_of(rest, layers.end(),
                          [&](const MountInfo& other) { return other.id == mount.parent_id; });
    });
    if (lowest != layers.end()) std::iter_swap(rest, lowest);
  }
  return layers;
}

}  // namespace escagent::fuse
