#include "agent/command/credentials.h"

#include <cstdlib>
#include <utility>

#include "agent/command/paths.h"
#include "base/file.h"
#include "base/json.h"

namespace escagent::command {
namespace {

std::string EnvironmentVariable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string CredentialsFile() {
  for (const char* name : {"PULUMI_CREDENTIALS_PATH", "PULUMI_HOME"}) {
    if (const std::string folder = EnvironmentVariable(name); !folder.empty()) {
      return folder + "/credentials.json";
    }
  }
  return EnvironmentVariable("HOME") + "/.pulumi/credentials.json";
}

std::string TextMember(const nlohmann::json& object, const std::string& key) {
  if (!object.is_object()) return "";
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// A file's token without the newline that editors and echo put at the end.
Result<Secret> ReadToken(const std::string& path) {
  ESC_ASSIGN_OR_RETURN(Secret contents, ReadFile(path, 65536));
  std::string_view token = contents.Reveal();
  while (token.ends_with('\n') || token.ends_with('\r')) token.remove_suffix(1);
  if (token.empty()) return InvalidArgument("read access token " + path + ": the file is empty");
  return Secret(token);
}

}  // namespace

Result<Credentials> FindCredentials(const std::string& esc_url, const std::string& token_file) {
  Credentials found{.esc_url = esc_url, .token = Secret()};
  if (!token_file.empty()) {
    ESC_ASSIGN_OR_RETURN(found.token, ReadToken(token_file));
  } else if (const char* token = std::getenv("PULUMI_ACCESS_TOKEN");
             token != nullptr && *token != '\0') {
    found.token = Secret(std::string_view(token));
  }
  if (found.token.Empty()) {
    const std::string path = CredentialsFile();
    const Result<Secret> text = ReadFile(path);
    if (!text) {
      return MakeError(Code::kUnauthenticated,
                       "find an access token: set PULUMI_ACCESS_TOKEN or --token-file, or run "
                       "`pulumi login` (no " +
                           path + ")");
    }
    ESC_ASSIGN_OR_RETURN(nlohmann::json login, ParseJson(text->Reveal(), path));
    if (found.esc_url.empty()) found.esc_url = TextMember(login, "current");
    if (login.is_object() && login.contains("accessTokens")) {
      found.token = Secret(TextMember(login["accessTokens"], found.esc_url));
    }
    Scrub(login);
    if (found.token.Empty()) {
      return MakeError(Code::kUnauthenticated,
                       "find an access token: " + path + " has none for " +
                           (found.esc_url.empty() ? "any backend" : found.esc_url) +
                           "; run `pulumi login`, or set PULUMI_ACCESS_TOKEN or --token-file");
    }
  }
  if (found.esc_url.empty()) found.esc_url = kDefaultEscUrl;
  return found;
}

}  // namespace escagent::command
