// Any volumeAttributes: refused with a reason, or such that nothing can be shown outside of the
// volume, and the same when they are read again.
//
// Input: pairs of lines, key and value. In a value "\x1e" stands for a line break.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "agent/volume/volume_attributes.h"
#include "base/strings.h"

namespace {

using escagent::volume::ParseVolumeAttributes;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckFileName(std::string_view file) {
  Require(!file.empty() && !file.starts_with('/') && file.find('\0') == std::string_view::npos);
  for (const std::string_view part : escagent::Split(file, '/')) {
    Require(!part.empty() && part != "." && part != ".." && part.size() <= 255);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::map<std::string, std::string> attributes;
  const auto lines = escagent::Split(text, '\n');
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    std::string value(lines[i + 1]);
    std::ranges::replace(value, '\x1e', '\n');
    attributes.emplace(lines[i], std::move(value));
  }
  const std::string group = attributes.contains("group") ? attributes["group"] : std::string();
  attributes.erase("group");
  const auto parsed = ParseVolumeAttributes(attributes, group);
  if (!parsed) {
    Require(!parsed.error().message.empty());
    return 0;
  }
  if (!parsed->file_name.empty()) CheckFileName(parsed->file_name);
  for (const auto& item : parsed->items) CheckFileName(item.file);
  Require((parsed->mode & ~0777U) == 0 && (parsed->folder_mode & ~0777U) == 0);
  const auto again = ParseVolumeAttributes(attributes, group);
  Require(again && *again == *parsed);
  return 0;
}
