// Any text as YAML, whoever wrote it (volume attributes, templates, definitions, stores): it is
// read or refused in little time and memory, and what was read can be walked through by recursion.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/cache/definition_facts.h"
#include "base/yaml.h"
#include "esc/environment_ref.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// How many nodes are at or below one.
std::size_t Count(const YAML::Node& node, std::size_t depth) {
  Require(depth <= escagent::kMaxYamlDepth);
  std::size_t nodes = 1;
  if (node.IsSequence()) {
    for (const YAML::Node& element : node) nodes += Count(element, depth + 1);
  }
  if (node.IsMap()) {
    for (const auto& entry : node) {
      nodes += Count(entry.first, depth + 1) + Count(entry.second, depth + 1);
    }
  }
  return nodes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto documents = escagent::ParseYamlStream(text, "text");
  if (documents) {
    std::size_t nodes = 0;
    for (const auto& document : *documents) nodes += Count(document.root, 0);
    // No node without a byte, but for nothing around a colon or comma, and in an empty document.
    Require(nodes <= 3 * (size + 1) + escagent::kMaxAliasedYamlNodes * documents->size());
  }
  static const auto kRef = escagent::esc::EnvironmentRef::Parse("acme/web/dev");
  static_cast<void>(escagent::cache::ReadDefinitionFacts(*kRef, text));
  return 0;
}
