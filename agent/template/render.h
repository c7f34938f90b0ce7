#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "agent/template/limits.h"
#include "base/result.h"
#include "base/secret.h"

// Go's text/template with the functions of sprig, as External Secrets Operator runs it for
// `template.engineVersion: v2`: https://pkg.go.dev/text/template,
// https://masterminds.github.io/sprig. A template reads nothing but its fields: no environment, no
// files, no network, no cluster, no clock and no random numbers.
namespace escagent::gotemplate {

// What {{ .key }} reads: in Go's terms a map[string]string.
using Fields = std::map<std::string, std::string_view, std::less<>>;

// Parses the template and executes it with `fields` as its data and missingkey=error. `name` stands
// in the errors, which are INVALID_ARGUMENT with Go's text and position
// ("template: config:1: function \"foo\" not defined") and never hold what a field holds; what a
// limit stopped is RESOURCE_EXHAUSTED. Pure; any thread.
Result<Secret> Render(std::string_view name, std::string_view text, const Fields& fields,
                      const Limits& limits = {});

}  // namespace escagent::gotemplate
