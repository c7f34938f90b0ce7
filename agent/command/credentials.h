#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace escagent::command {

// Where to reach ESC from a workstation, and with which token.
struct Credentials {
  std::string esc_url;  // "https://api.pulumi.com"
  Secret token;
};

// Reads what the flags, the environment and Pulumi's own login left. `esc_url` and `token_file` are
// the flags' values, empty when unset; an empty URL means the one logged in to, else Pulumi's
// cloud.
//
// The stored login is {"current": URL, "accessTokens": {URL: token}} in
// $PULUMI_CREDENTIALS_PATH/credentials.json, $PULUMI_HOME/credentials.json or
// ~/.pulumi/credentials.json (pulumi/pulumi sdk/go/common/workspace).
Result<Credentials> FindCredentials(const std::string& esc_url, const std::string& token_file);

}  // namespace escagent::command
