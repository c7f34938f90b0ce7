#include <re2/re2.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/template/function.h"
#include "agent/template/runes.h"
#include "base/strings.h"

// sprig's functions on slash-separated paths and on URLs. None looks at a file system or a network.
namespace escagent::gotemplate {
namespace {

// Go's path.Clean: the shortest equivalent path.
std::string CleanPath(std::string_view path) {
  const bool rooted = path.starts_with('/');
  std::vector<std::string_view> parts;
  for (const std::string_view part : Split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (!rooted) {
      parts.push_back(part);
    }
  }
  const std::string joined = Join(parts, "/");
  if (rooted) return "/" + joined;
  return joined.empty() ? "." : joined;
}

Result<Value> Clean(Call& call) { return call.Make(CleanPath(call.Text(0))); }

Result<Value> Base(Call& call) {
  std::string_view path = call.Text(0);
  if (path.empty()) return Value::Text(".");
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return Value::Text("/");
  return Value::Text(path.substr(path.rfind('/') + 1));
}

Result<Value> Directory(Call& call) {
  const std::string_view path = call.Text(0);
  return call.Make(CleanPath(path.substr(0, path.rfind('/') + 1)));
}

Result<Value> Extension(Call& call) {
  const std::string_view path = call.Text(0);
  const std::size_t dot = path.find_last_of("./");
  if (dot == std::string_view::npos || path[dot] == '/') return Value::Text("");
  return Value::Text(path.substr(dot));
}

Result<Value> IsAbsolute(Call& call) { return Value::Bool(call.Text(0).starts_with('/')); }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// All but letters, digits, -_.~ and `allowed`.
std::string PercentEncode(std::string_view text, std::string_view allowed) {
  std::string out;
  for (const char c : text) out += allowed.contains(c) ? std::string(1, c) : UrlEncode({&c, 1});
  return out;
}

// NAME[:PASSWORD] with Go's choice of what is escaped.
std::optional<std::string> NormaliseUser(std::string_view user) {
  static constexpr std::string_view kAllowed = "$&+,;=";
  const std::size_t colon = user.find(':');
  const std::optional<std::string> name = PercentDecode(user.substr(0, colon));
  if (!name) return std::nullopt;
  std::string out = PercentEncode(*name, kAllowed);
  if (colon == std::string_view::npos) return out;
  const std::optional<std::string> password = PercentDecode(user.substr(colon + 1));
  if (!password) return std::nullopt;
  return out + ":" + PercentEncode(*password, kAllowed);
}

std::string_view HostName(std::string_view host) {
  const std::size_t bracket = host.find(']');
  if (host.starts_with('[') && bracket != std::string_view::npos) {
    return host.substr(1, bracket - 1);
  }
  return host.substr(0, host.find(':'));
}

// The parts that RFC 3986, appendix B, finds in any text.
Result<Value> UrlParse(Call& call) {
  static const RE2 kUrl(
      R"((?s)(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(//(?:([^/?#]*)@)?([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?)");
  std::string scheme;
  std::string authority;
  std::string user;
  std::string host;
  std::string path;
  std::string query;
  std::string fragment;
  const std::string_view url = call.Text(0);
  const bool matches = RE2::FullMatch(re2::StringPiece(url.data(), url.size()), kUrl, &scheme,
                                      &authority, &user, &host, &path, &query, &fragment);
  const bool printable = std::ranges::all_of(
      url, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7F; });
  const std::optional<std::string> normal_user = NormaliseUser(user);
  const std::optional<std::string> clean_path = PercentDecode(path);
  const std::optional<std::string> clean_fragment = PercentDecode(fragment);
  if (!matches || !printable || !normal_user || !clean_path || !clean_fragment) {
    return InvalidArgument("unable to parse url: it is malformed");
  }
  const bool opaque = !scheme.empty() && authority.empty() && !path.starts_with('/');
  std::ranges::transform(scheme, scheme.begin(), [](char c) {
    return static_cast<char>(ToLower(static_cast<unsigned char>(c)));
  });
  Map& dict = call.heap.NewMap();
  const auto put = [&](std::string_view key, std::string_view text) {
    call.heap.Put(dict, key, call.Make(std::string(text)));
  };
  put("scheme", scheme);
  put("host", host);
  put("hostname", HostName(host));
  put("path", opaque ? "" : *clean_path);
  put("query", query);
  put("opaque", opaque ? path : "");
  put("fragment", *clean_fragment);
  put("userinfo", *normal_user);
  return Value::Of(&dict);
}

// The text under a key of urlJoin's dict; empty when there is none.
Result<std::string> PartOf(const Map& dict, std::string_view key) {
  const auto found = dict.items.find(key);
  if (found == dict.items.end()) return std::string();
  if (found->second.IsText()) return std::string(found->second.text());
  return InvalidArgument("unable to parse " + std::string(key) +
                         " key, must be of type string, but " +
                         std::string(found->second.KindName()) + " found");
}

Result<Value> UrlJoin(Call& call) {
  const Map& dict = call.Dict(0);
  ESC_ASSIGN_OR_RETURN(const std::string scheme, PartOf(dict, "scheme"));
  ESC_ASSIGN_OR_RETURN(const std::string host, PartOf(dict, "host"));
  ESC_ASSIGN_OR_RETURN(const std::string path, PartOf(dict, "path"));
  ESC_ASSIGN_OR_RETURN(const std::string query, PartOf(dict, "query"));
  ESC_ASSIGN_OR_RETURN(const std::string opaque, PartOf(dict, "opaque"));
  ESC_ASSIGN_OR_RETURN(const std::string fragment, PartOf(dict, "fragment"));
  ESC_ASSIGN_OR_RETURN(const std::string userinfo, PartOf(dict, "userinfo"));
  const std::optional<std::string> user = NormaliseUser(userinfo);
  if (!user) return InvalidArgument("unable to parse userinfo in dict: it is malformed");
  TextBuilder out(call.heap);
  if (!scheme.empty()) out.Append(scheme + ":");
  if (!opaque.empty()) {
    out.Append(opaque);
  } else {
    if (!scheme.empty() || !host.empty() || !user->empty()) {
      if (!host.empty() || !path.empty() || !user->empty()) out.Append("//");
      if (!user->empty()) out.Append(*user + "@");
      out.Append(host);
    }
    if (!path.empty() && path[0] != '/' && !host.empty()) out.Append("/");
    out.Append(PercentEncode(path, "$&+,/:;=@"));
  }
  if (!query.empty()) out.Append("?" + query);
  if (!fragment.empty()) out.Append("#" + PercentEncode(fragment, "$&+,/:;=?@!()*"));
  return out.Finish();
}

constexpr Function kPathFunctions[] = {
    {"base", "s", Base},          {"clean", "s", Clean},      {"dir", "s", Directory},
    {"ext", "s", Extension},      {"isAbs", "s", IsAbsolute}, {"osBase", "s", Base},
    {"osClean", "s", Clean},      {"osDir", "s", Directory},  {"osExt", "s", Extension},
    {"osIsAbs", "s", IsAbsolute}, {"urlJoin", "m", UrlJoin},  {"urlParse", "s", UrlParse},
};

}  // namespace

std::span<const Function> PathFunctions() { return kPathFunctions; }

}  // namespace escagent::gotemplate
