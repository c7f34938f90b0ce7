#pragma once

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "esc/devserver/router.h"
#include "esc/environment_ref.h"
#include "esc/eval/environment_json.h"

namespace escagent::devserver {

// The environment, and the version if any, of a request's path.
esc::EnvironmentRef RefOf(const Request& request);

// A number of the query, or `fallback`.
int NumberOf(const Request& request, const std::string& name, int fallback);

// How the answer spells values: as older servers do, when a fault asks for it.
eval::EnvironmentJsonOptions JsonOptionsOf(const Request& request);

// Whether a switch of the query is on ("true").
bool IsOn(const Request& request, const std::string& name);

// Calls `visit(name, item)` for the items of one page of a list: those after the name that "after"
// of the query says, at most "count" (absent: kMaxCount). Gives the name for the next page's
// "after"; empty when nothing is left.
inline constexpr int kMaxCount = 500;
template <class T, class Visit>
std::string VisitPage(const Request& request, const std::map<std::string, T>& items, Visit visit) {
  const std::string after = request.Parameter("after");
  const int wanted = NumberOf(request, "count", kMaxCount);
  int left = wanted <= 0 ? kMaxCount : std::min(wanted, kMaxCount);
  std::string last;
  for (auto item = items.upper_bound(after); item != items.end(); ++item) {
    if (left-- == 0) return last;
    visit(item->first, item->second);
    last = item->first;
  }
  return "";
}

// The body as a JSON object; an empty body is an empty one. INVALID_ARGUMENT for anything else.
Result<nlohmann::json> ReadBody(const Request& request);

// Members of a body. INVALID_ARGUMENT when they have another kind; absent ones and null leave the
// value as it is.
Status ReadMember(const nlohmann::json& body, const char* name, std::string& out);
Status ReadMember(const nlohmann::json& body, const char* name, bool& out);
Status ReadMember(const nlohmann::json& body, const char* name, int& out);
Status ReadMember(const nlohmann::json& body, const char* name, std::vector<std::string>& out);

}  // namespace escagent::devserver
