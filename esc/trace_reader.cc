#include "esc/trace_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/result.h"

namespace escagent::esc {

TraceReader::TraceReader(EnvironmentRef opened) : opened_(std::move(opened)) {
  opened_.version.clear();
}

bool TraceReader::string(string_t& text) {
  const std::size_t depth = keys_.size();
  if (depth >= 3 && keys_[depth - 1] == "environment" && keys_[depth - 2] == "def" &&
      keys_[depth - 3] == "trace") {
    names_.insert(text);
  }
  // The parser uses this buffer again; what is in it now must not stay there.
  explicit_bzero(text.data(), text.size());
  return true;
}

bool TraceReader::start_object(std::size_t /*size*/) {
  keys_.emplace_back();
  return true;
}

bool TraceReader::key(string_t& name) {
  keys_.back() = name;
  return true;
}

bool TraceReader::end_object() {
  keys_.pop_back();
  return true;
}

std::vector<EnvironmentRef> TraceReader::Contributors() const {
  std::vector<EnvironmentRef> refs;
  for (const std::string& name : names_) {
    std::string full = name.substr(0, name.find('@'));
    const auto slashes = std::ranges::count(full, '/');
    if (slashes == 0) full.insert(0, "default/");
    if (slashes <= 1) full.insert(0, opened_.organization + "/");
    Result<EnvironmentRef> ref = EnvironmentRef::Parse(full);
    if (ref && *ref != opened_) refs.push_back(*std::move(ref));
  }
  std::ranges::sort(refs);
  const auto repeated = std::ranges::unique(refs);
  refs.erase(repeated.begin(), repeated.end());
  return refs;
}

}  // namespace escagent::esc
