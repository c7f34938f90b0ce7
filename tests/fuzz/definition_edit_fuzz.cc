// Any text as a definition, any path and value: an edit is refused, or what it wrote is there, says
// what was asked for, is fulfilled from then on, and can be taken out again.
//
// Input: a line with the path, a line with the value, and the definition.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "esc/edit/definition_editor.h"
#include "esc/eval/evaluator.h"
#include "esc/property_path.h"

namespace {

using escagent::Result;
using escagent::Secret;
using escagent::edit::ApplyEdits;
using escagent::edit::Edit;
using escagent::edit::Edited;
using escagent::esc::PropertyPath;

void Require(bool condition) {
  if (!condition) std::abort();
}

std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

Result<Edited> Apply(const Secret& yaml, Edit edit) {
  std::vector<Edit> edits;
  edits.push_back(std::move(edit));
  return ApplyEdits(yaml, edits);
}

// Our evaluator is another reader of the same text.
void CheckMeaning(const Secret& yaml, const PropertyPath& path, std::string_view value) {
  const auto result = escagent::eval::Evaluate(yaml.Reveal(), {});
  if (!result.ok() || value.contains('$')) return;
  const auto found = path.Lookup(result.properties);
  Require(found && (*found)->ScalarText() == value && (*found)->secret());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<PropertyPath> path = PropertyPath::Parse(TakeLine(text));
  const std::string_view value = TakeLine(text);
  if (!path) return 0;
  const Secret yaml(text);
  const auto set = [&] { return Edit::Set(*path, Secret(value)); };
  const Result<Edited> edited = Apply(yaml, set());
  if (!edited) return 0;
  Require(edited->changed() || edited->yaml.Equals(yaml));
  Require(escagent::edit::Defines(edited->yaml, *path).value_or(false));
  CheckMeaning(edited->yaml, *path, value);

  const Result<Edited> again = Apply(edited->yaml, set());
  Require(again && !again->changed() && again->yaml.Equals(edited->yaml));

  const Result<Edited> removed = Apply(edited->yaml, Edit::RemoveSecret(*path));
  if (removed) Require(!escagent::edit::Defines(removed->yaml, *path).value_or(true));
  return 0;
}
