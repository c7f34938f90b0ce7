#pragma once

namespace CLI {
class App;
}

namespace escagent::command {

// `esc-agent mount ORG/PROJECT/ENV[@VERSION] DIR`: mounts one environment on a workstation, keeps
// it fresh, and unmounts on Ctrl-C (SIGINT, SIGTERM).
//
// The access token comes from --token-file, $PULUMI_ACCESS_TOKEN, or what `pulumi login` or
// `esc login` stored in $PULUMI_HOME/credentials.json (default ~/.pulumi).
void AddMount(CLI::App& app, int& exit_code);

}  // namespace escagent::command
