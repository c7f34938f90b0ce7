#include "base/yaml.h"

#include <yaml-cpp/parser.h>

#include <sstream>
#include <string>

#include "base/strings.h"

namespace escagent {
namespace {

// The one function that meets yaml-cpp's exceptions.
template <class Parse>
auto Guarded(std::string_view text, std::string_view what, Parse parse)
    -> Result<decltype(parse())> {
  if (!IsValidUtf8(text)) {
    return InvalidArgument("read " + std::string(what) + ": not valid UTF-8");
  }
  try {
    return parse();
  } catch (const YAML::Exception& e) {
    // e.msg is one of yaml-cpp's fixed texts; it can quote a tag or an anchor but no scalar.
    return InvalidArgument("read " + std::string(what) + ": invalid YAML at line " +
                           std::to_string(e.mark.line + 1) + ", column " +
                           std::to_string(e.mark.column + 1) + ": " + e.msg);
  }
}

Result<std::vector<YAML::Node>> LoadAll(std::string_view text, std::string_view what) {
  return Guarded(text, what, [text] { return YAML::LoadAll(std::string(text)); });
}

std::unexpected<Error> MoreThanOneDocument(std::string_view what) {
  return InvalidArgument("read " + std::string(what) + ": more than one YAML document");
}

}  // namespace

Result<YAML::Node> ParseYaml(std::string_view text, std::string_view what) {
  ESC_ASSIGN_OR_RETURN(std::vector<YAML::Node> documents, LoadAll(text, what));
  if (documents.empty()) return YAML::Node(YAML::NodeType::Null);
  if (documents.size() > 1) return MoreThanOneDocument(what);
  return documents.front();
}

Result<std::vector<YAML::Node>> ParseYamlStream(std::string_view text, std::string_view what) {
  return LoadAll(text, what);
}

Status ParseYamlEvents(std::string_view text, std::string_view what, YAML::EventHandler& handler) {
  ESC_ASSIGN_OR_RETURN(const bool more, Guarded(text, what, [text, &handler] {
                         std::istringstream stream{std::string(text)};
                         YAML::Parser parser(stream);
                         return parser.HandleNextDocument(handler) && static_cast<bool>(parser);
                       }));
  if (more) return MoreThanOneDocument(what);
  return {};
}

}  // namespace escagent
