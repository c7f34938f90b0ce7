#include "base/yaml.h"

#include <string>

#include "base/strings.h"

namespace escagent {

Result<YAML::Node> ParseYaml(std::string_view text, std::string_view what) {
  ESC_ASSIGN_OR_RETURN(std::vector<YAML::Node> documents, ParseYamlStream(text, what));
  if (documents.empty()) return YAML::Node(YAML::NodeType::Null);
  if (documents.size() > 1) {
    return InvalidArgument("read " + std::string(what) + ": more than one YAML document");
  }
  return documents.front();
}

// The one function that meets yaml-cpp's exceptions.
Result<std::vector<YAML::Node>> ParseYamlStream(std::string_view text, std::string_view what) {
  if (!IsValidUtf8(text)) {
    return InvalidArgument("read " + std::string(what) + ": not valid UTF-8");
  }
  try {
    return YAML::LoadAll(std::string(text));
  } catch (const YAML::Exception& e) {
    // e.msg is one of yaml-cpp's fixed texts; it can quote a tag or an anchor but no scalar.
    return InvalidArgument("read " + std::string(what) + ": invalid YAML at line " +
                           std::to_string(e.mark.line + 1) + ", column " +
                           std::to_string(e.mark.column + 1) + ": " + e.msg);
  }
}

}  // namespace escagent
