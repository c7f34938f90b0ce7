#pragma once

#include <string>
#include <utility>
#include <vector>

namespace escagent::doctor {

enum class Verdict {
  kOk,
  kWarning,  // works, but for what the text says
  kFailed,   // something that the agent is for does not work
  kSkipped,  // could not be found out, or is of no concern; the text says why
};

// What one look has found. Holds names, addresses and causes, never a value or a token.
struct Finding {
  Verdict verdict = Verdict::kOk;
  std::string check;     // what was looked at: "kernel", "store SecretStore shop/app"
  std::string text;      // what was found
  std::string advice{};  // what to do about it; empty when there is nothing to do
};

using Findings = std::vector<Finding>;

inline Finding Ok(std::string check, std::string text) {
  return {Verdict::kOk, std::move(check), std::move(text)};
}
inline Finding Warning(std::string check, std::string text, std::string advice) {
  return {Verdict::kWarning, std::move(check), std::move(text), std::move(advice)};
}
inline Finding Failed(std::string check, std::string text, std::string advice) {
  return {Verdict::kFailed, std::move(check), std::move(text), std::move(advice)};
}
inline Finding Skipped(std::string check, std::string text, std::string advice = {}) {
  return {Verdict::kSkipped, std::move(check), std::move(text), std::move(advice)};
}

// Findings about one part: "node", "agent", "cluster", "esc".
struct Group {
  std::string name;
  Findings findings;
};

}  // namespace escagent::doctor
