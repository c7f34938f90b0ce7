#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "tests/fakes/apiserver/api_server.h"

namespace escagent::apiserver {
namespace {

struct Arguments {
  ApiServer::Options options;
  std::vector<std::string> crds;
  std::vector<std::string> data;
  std::string kubeconfig;
  std::vector<std::string> tokens;
};

int Fail(const Error& error) {
  std::fprintf(stderr, "fake-apiserver: %s\n", error.message.c_str());
  return 1;
}

// Blocks the signals that end the program, so that Wait() gets them; before any thread starts.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int Serve(const Arguments& arguments) {
  const sigset_t signals = BlockSignals();
  auto started = ApiServer::Start(arguments.options);
  if (!started) return Fail(started.error());
  const std::unique_ptr<ApiServer> server = *std::move(started);
  for (const auto& folders : {arguments.crds, arguments.data}) {
    for (const std::string& folder : folders) {
      if (const Status loaded = server->LoadPath(folder); !loaded) return Fail(loaded.error());
    }
  }
  if (!arguments.kubeconfig.empty()) {
    const Status written = WriteFileAtomically(arguments.kubeconfig, server->Kubeconfig());
    if (!written) return Fail(written.error());
  }
  std::printf("listening on %s\n", server->url().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}

// "TOKEN=USER" or "TOKEN=USER,GROUP,...".
bool AddToken(const std::string& text, ApiServer::Options& options) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  User user;
  for (std::size_t begin = equals + 1; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    if (user.name.empty()) {
      user.name = part;
    } else {
      user.groups.push_back(part);
    }
    begin = end + 1;
  }
  if (user.name.empty()) return false;
  user.groups.emplace_back("system:authenticated");
  options.tokens[text.substr(0, equals)] = user;
  return true;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  int bookmark_milliseconds = 60000;
  bool no_controllers = false;
  CLI::App app("A stand-in for kube-apiserver that keeps its objects in memory", "fake-apiserver");
  app.add_option("--listen", arguments.options.listen, "Address to listen on; port 0: a free one");
  app.add_option("--crds", arguments.crds, "Folder or file of CustomResourceDefinitions");
  app.add_option("--data", arguments.data, "Folder or file of objects to start with");
  app.add_option("--kubeconfig-out", arguments.kubeconfig,
                 "Where to write a kubeconfig of the administrator");
  app.add_option("--token", arguments.tokens, "TOKEN=USER[,GROUP...]; can be repeated");
  app.add_flag("--tls", arguments.options.tls, "HTTPS, with certificates made for this run");
  app.add_flag("--anonymous", arguments.options.anonymous, "Take requests without credentials");
  app.add_flag("--rbac", arguments.options.rbac, "Decide by the RBAC objects loaded");
  app.add_flag("--no-controllers", no_controllers,
               "Leave owner references and deleted namespaces alone");
  app.add_option("--watch-history", arguments.options.watch_history,
                 "How many changes of each kind a watch can go back");
  app.add_option("--bookmark-interval-ms", bookmark_milliseconds, "Between bookmarks of a watch");
  CLI11_PARSE(app, argc, argv);
  arguments.options.controllers = !no_controllers;
  arguments.options.bookmark_interval = std::chrono::milliseconds(bookmark_milliseconds);
  for (const std::string& token : arguments.tokens) {
    if (!AddToken(token, arguments.options)) {
      std::fprintf(stderr, "fake-apiserver: --token must be TOKEN=USER[,GROUP...]\n");
      return 2;
    }
  }
  return Serve(arguments);
}

}  // namespace
}  // namespace escagent::apiserver

int main(int argc, char** argv) { return escagent::apiserver::Main(argc, argv); }
