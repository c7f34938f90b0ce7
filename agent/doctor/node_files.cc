#include "agent/doctor/node_files.h"

#include "base/file.h"
#include "base/strings.h"

namespace escagent::doctor {

Result<std::string> NodeFiles::Read(std::string_view path) const {
  ESC_ASSIGN_OR_RETURN(const Secret text, ReadFile(Path(path)));
  std::string out(text.Reveal());
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

std::string NodeFiles::Field(std::string_view path, std::string_view name) const {
  const Result<std::string> text = Read(path);
  if (!text) return "";
  for (std::string_view line : Split(*text, '\n')) {
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return "";
    return std::string(line.substr(begin, line.find_last_not_of(" \t") + 1 - begin));
  }
  return "";
}

}  // namespace escagent::doctor
