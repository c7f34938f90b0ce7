#pragma once

#include <httplib.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esc/devserver/identity.h"

namespace escagent::devserver {

struct Backend;

// A request on its way to a handler.
struct Request {
  const httplib::Request& http;
  std::string route;  // "GET /api/esc/environments/{org}"
  // The parts of the path that the pattern names, decoded.
  std::map<std::string, std::string, std::less<>> arguments;
  // Asked by a fault: answer as older servers do.
  bool old_server = false;
  Identity identity{};  // who asks

  const std::string& Argument(std::string_view name) const;
  // "org/project/env" when the route is about one environment, else empty.
  std::string Environment() const;
  // A parameter of the query; empty when absent.
  std::string Parameter(const std::string& name) const;
};

using Handler = void (*)(Backend&, const Request&, httplib::Response&);

// Finds the handler for a path. Patterns are made of literal parts and {arguments}; empty parts of
// a path are skipped, as SDKs send "/open//{id}". Of several patterns that match the one added
// first counts.
class Router {
 public:
  struct Match {
    Handler handler = nullptr;
    std::string route;
    std::map<std::string, std::string, std::less<>> arguments;
  };

  void Add(std::string_view method, std::string_view pattern, Handler handler);

  // Nothing when no route matches. `allowed` then lists the methods that the path has, if any.
  std::optional<Match> Find(std::string_view method, std::string_view path,
                            std::string& allowed) const;

 private:
  struct Route {
    std::string method;
    std::string pattern;
    std::vector<std::string> parts;
    Handler handler;
  };

  std::vector<Route> routes_;
};

}  // namespace escagent::devserver
