#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "esc/eval/evaluator.h"
#include "tests/unit/eval/evaluate_in_test.h"

// Runs the evaluator over the test cases of a checkout of pulumi/esc (eval/testdata/eval) that use
// only what it supports, and compares the evaluated JSON, revealed and redacted.

namespace escagent::eval {
namespace {

namespace fs = std::filesystem;

class DirectoryLoader final : public EnvironmentLoader {
 public:
  explicit DirectoryLoader(fs::path dir) : dir_(std::move(dir)) {}
  Result<Secret> Load(std::string_view name) override {
    return ReadFile((dir_ / (std::string(name) + ".yaml")).string());
  }

 private:
  fs::path dir_;
};

std::string ReadText(const fs::path& path) {
  const auto text = ReadFile(path.string());
  return text ? std::string(text->Reveal()) : std::string();
}

// Whether any definition of the case calls a function that is not implemented, or holds ciphertext.
bool UsesUnsupported(const fs::path& dir) {
  static constexpr std::array<std::string_view, 9> kUnsupported = {
      "fn::concat", "fn::final",    "fn::open",    "fn::rotate",  "fn::split",
      "fn::toYAML", "fn::validate", "ciphertext:", "fn::template"};
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(dir)) {
    if (file.path().extension() != ".yaml") continue;
    const std::string text = ReadText(file.path());
    for (const std::string_view word : kUnsupported) {
      if (text.find(word) != std::string::npos) return true;
    }
  }
  return false;
}

// Where we differ on purpose: a literal that failed to parse is unknown, not a guess.
const std::set<std::string> kKnownDifferences = {"invalid-plaintext"};

void RunCase(const fs::path& dir) {
  const auto expected = ParseJson(ReadText(dir / "expected.json"), "expected.json");
  ASSERT_TRUE(expected) << dir;
  std::string name = dir.filename().string();
  if (const auto overrides = ParseJson(ReadText(dir / "overrides.json"), "overrides");
      overrides && overrides->contains("rootEnvironment")) {
    name = (*overrides)["rootEnvironment"].get<std::string>();
  }
  DirectoryLoader loader(dir);
  EvalOptions options;
  options.environment = name;
  options.identity.user_id = "USER_123";
  options.loader = &loader;
  const EvalResult result = Evaluate(ReadText(dir / "env.yaml"), options);
  const bool expect_errors = expected->contains("evalDiags") || expected->contains("loadDiags");
  EXPECT_EQ(result.ok(), !expect_errors) << Findings(result);
  if (!expected->contains("evalJSONRevealed")) return;
  const auto actual = ParseJson(Revealed(result), "result");
  ASSERT_TRUE(actual);
  EXPECT_EQ(DumpJson(*actual, 1), DumpJson((*expected)["evalJSONRevealed"], 1));
  const auto redacted = ParseJson(Redacted(result), "result");
  ASSERT_TRUE(redacted);
  EXPECT_EQ(DumpJson(*redacted, 1), DumpJson((*expected)["evalJsonRedacted"], 1));
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
  int run = 0;
  for (const fs::path& dir : cases) {
    if (UsesUnsupported(dir) || kKnownDifferences.contains(dir.filename().string())) {
      std::printf("not run: %s\n", dir.filename().c_str());
      continue;
    }
    SCOPED_TRACE(dir.filename().string());
    RunCase(dir);
    ++run;
  }
  std::printf("%d of %zu cases run\n", run, cases.size());
  EXPECT_GT(run, 15);
}

}  // namespace
}  // namespace escagent::eval
