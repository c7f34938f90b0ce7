#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "esc/eval/environment_json.h"
#include "esc/eval/evaluator.h"
#include "esc/value_json.h"
#include "tests/unit/eval/evaluate_in_test.h"
#include "tests/unit/eval/test_providers.h"

// Runs the evaluator over the test cases of a checkout of pulumi/esc (eval/testdata/eval: 54 of
// them) or of pulumi/pulumi, where they are continued (sdk/go/common/esc/eval/testdata/eval: 55),
// and compares everything that they say: diagnostics with their ranges, values, what is redacted,
// whole environments with traces, expressions and schemas, and the patches of rotations.

namespace escagent::eval {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Reads a file of the case.
class DirectoryLoader final : public EnvironmentLoader {
 public:
  explicit DirectoryLoader(fs::path dir) : dir_(std::move(dir)) {}
  Result<Secret> Load(std::string_view name) override {
    const fs::path file = dir_ / (std::string(name) + ".yaml");
    if (!fs::exists(file)) return NotFound("no file " + file.string());
    return ReadFile(file.string());
  }

 private:
  fs::path dir_;
};

std::string ReadText(const fs::path& path) {
  const auto text = ReadFile(path.string());
  return text ? std::string(text->Reveal()) : std::string();
}

// Older checkouts say of an environment that is not there what the operating system says of its
// file, newer ones what ESC says.
std::string InWordsOfEsc(const std::string& summary) {
  static const std::regex kMissingFile(
      "open testdata/eval/[^/]+/(.+)\\.yaml: no such file or directory");
  return std::regex_replace(summary, kMissingFile, "environment \"$1\" not found");
}

// One line for each diagnostic of the case, sorted.
void AddExpected(const json& expected, const char* key, std::vector<std::string>& lines) {
  if (!expected.contains(key)) return;
  for (const json& finding : expected[key]) {
    std::string line = finding["Severity"].get<int>() == 1 ? "error " : "warning ";
    if (const json& at = finding["Subject"]; !at.is_null()) {
      line += at["Filename"].get<std::string>();
      for (const char* end : {"Start", "End"}) {
        line += " " + std::to_string(at[end]["Line"].get<int>()) + ":" +
                std::to_string(at[end]["Column"].get<int>()) + "+" +
                std::to_string(at[end]["Byte"].get<int>());
      }
    }
    lines.push_back(line + " " + finding["Path"].get<std::string>() + ": " +
                    InWordsOfEsc(finding["Summary"].get<std::string>()));
  }
}

std::string ExpectedFindings(const json& expected, const char* key) {
  std::vector<std::string> lines;
  AddExpected(expected, "loadDiags", lines);
  AddExpected(expected, key, lines);
  std::ranges::sort(lines);
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string ActualFindings(const EvalResult& result) {
  std::vector<std::string> lines;
  for (const esc::Diagnostic& finding : result.diagnostics) {
    std::string line =
        finding.severity == esc::Diagnostic::Severity::kError ? "error " : "warning ";
    if (finding.line > 0) {
      line += finding.environment + " " + std::to_string(finding.line) + ":" +
              std::to_string(finding.column) + "+" + std::to_string(finding.byte) + " " +
              std::to_string(finding.end_line) + ":" + std::to_string(finding.end_column) + "+" +
              std::to_string(finding.end_byte);
    }
    lines.push_back(line + " " + finding.path + ": " + finding.summary);
  }
  std::ranges::sort(lines);
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// Takes out what the cases leave out: the place of what has none, and null values. (Newer servers
// write both.)
void Normalize(json& node) {
  if (node.is_object()) {
    if (node.contains("trace") && node.contains("value") && node["value"].is_null()) {
      node.erase("value");
    }
    if (node.contains("begin") && node.contains("end") && node["begin"].is_object() &&
        node["begin"].value("line", -1) == 0) {
      node.erase("environment");
    }
    for (const char* key : {"keyRanges", "object", "list"}) {
      if (node.contains(key) && node.contains("range") && node[key].empty()) node.erase(key);
    }
    for (const char* key : {"exprs", "properties"}) {
      if (node.contains(key) && node.contains("executionContext") && node[key].empty()) {
        node.erase(key);
      }
    }
    if (node.contains("rotateOnly"))
      std::sort(node["rotateOnly"].begin(), node["rotateOnly"].end());
  }
  if (node.is_structured()) {
    for (json& child : node) Normalize(child);
  }
}

json Parse(std::string_view text) {
  auto document = ParseJson(text, "result");
  EXPECT_TRUE(document);
  return document ? *std::move(document) : json();
}

struct Case {
  fs::path dir;
  json expected;
  json overrides;
  std::string text;
};

EvalResult Run(const Case& c, EvalMode mode) {
  DirectoryLoader loader(c.dir);
  Rot128 decrypter;
  const auto context = esc::ParseValueNode(
      R"({"value":{"pulumi":{"value":{"user":{"value":{"id":{"value":"USER_123"}}}}}}})",
      "context");
  EvalOptions options;
  options.environment = c.overrides.value("rootEnvironment", c.dir.filename().string());
  options.context = &*context;
  options.loader = &loader;
  options.decrypter = &decrypter;
  options.providers = &TestProviders();
  options.mode = mode;
  options.show_secrets = c.overrides.value("showSecrets", false);
  if (c.overrides.contains("rotatePaths")) {
    for (const json& path : c.overrides["rotatePaths"]) {
      options.rotate_paths.push_back(*esc::PropertyPath::Parse(path.get<std::string>()));
    }
  }
  return Evaluate(c.text, options);
}

void CompareEnvironment(const Case& c, const char* key, const EvalResult& result) {
  if (!c.expected.contains(key)) return;
  SecretBuilder text;
  WriteEnvironmentJson(result, {}, text);
  json expected = c.expected[key];
  json actual = Parse(text.Reveal());
  Normalize(expected);
  Normalize(actual);
  EXPECT_EQ(DumpJson(json::diff(expected, actual), 1), "[]") << c.dir << " " << key;
}

void CompareJson(const Case& c, const char* key, const std::string& actual) {
  if (!c.expected.contains(key)) return;
  EXPECT_EQ(DumpJson(Parse(actual), 1), DumpJson(c.expected[key], 1)) << c.dir << " " << key;
}

void CheckCase(const Case& c) {
  const EvalResult check = Run(c, EvalMode::kCheck);
  EXPECT_EQ(ActualFindings(check), ExpectedFindings(c.expected, "checkDiags")) << c.dir;
  CompareJson(c, "checkJson", Redacted(check));
  CompareEnvironment(c, "check", check);
}

void OpenCase(const Case& c) {
  const EvalResult open = Run(c, EvalMode::kOpen);
  EXPECT_EQ(ActualFindings(open), ExpectedFindings(c.expected, "evalDiags")) << c.dir;
  CompareJson(c, "evalJsonRedacted", Redacted(open));
  CompareJson(c, "evalJSONRevealed", Revealed(open));
  CompareEnvironment(c, "eval", open);
}

void RotateCase(const Case& c) {
  const EvalResult rotated = Run(c, EvalMode::kRotate);
  EXPECT_EQ(ActualFindings(rotated), ExpectedFindings(c.expected, "rotateDiags")) << c.dir;
  CompareJson(c, "rotateJson", Redacted(rotated));
  CompareEnvironment(c, "rotate", rotated);
  json actual = json::object();
  for (const Rotation& rotation : rotated.rotations) {
    if (rotation.status != Rotation::Status::kSucceeded) continue;
    SecretBuilder state;
    esc::WriteValueNode(rotation.state, {.omit_trace = true}, state);
    actual[rotation.patch_path] = Parse(state.Reveal());
  }
  json expected = json::object();
  if (c.expected.contains("rotatePatches")) {
    for (const json& patch : c.expected["rotatePatches"]) {
      const auto value = esc::ParseValueNode(DumpJson(patch["Replacement"]), "patch");
      ASSERT_TRUE(value);
      SecretBuilder state;
      esc::WriteValueNode(*value, {.omit_trace = true}, state);
      expected[patch["DocPath"].get<std::string>()] = Parse(state.Reveal());
    }
  }
  EXPECT_EQ(DumpJson(actual, 1), DumpJson(expected, 1)) << c.dir;
}

TEST(ConformanceTest, MatchesThePublishedCases) {
  const char* root = std::getenv("ESC_TESTDATA");
  if (root == nullptr) {
    std::puts("SKIPPED: set ESC_TESTDATA to eval/testdata/eval of a checkout of pulumi/esc");
    std::exit(77);
  }
  std::vector<fs::path> cases;
  for (const fs::directory_entry& dir : fs::directory_iterator(root)) {
    if (fs::exists(dir.path() / "expected.json")) cases.push_back(dir.path());
  }
  std::ranges::sort(cases);
  for (const fs::path& dir : cases) {
    auto expected = ParseJson(ReadText(dir / "expected.json"), "expected.json");
    ASSERT_TRUE(expected) << dir;
    auto overrides = ParseJson(ReadText(dir / "overrides.json"), "overrides.json");
    const Case c{.dir = dir,
                 .expected = *std::move(expected),
                 .overrides = overrides ? *std::move(overrides) : json::object(),
                 .text = ReadText(dir / "env.yaml")};
    CheckCase(c);
    OpenCase(c);
    if (c.overrides.value("rotate", false)) RotateCase(c);
  }
  std::printf("%zu cases run\n", cases.size());
  EXPECT_FALSE(cases.empty());
}

}  // namespace
}  // namespace escagent::eval
